/** The button that goes through the themes: as the system has it, light, dark. */

const THEMES = /** @type {const} */ (['system', 'light', 'dark']);
const LABELS = { system: 'Theme: system', light: 'Theme: light', dark: 'Theme: dark' };

/** @param {HTMLButtonElement} button */
export function mountTheme(button) {
  const root = document.documentElement;
  let current = THEMES.find((theme) => theme === root.dataset.theme) ?? 'system';
  button.textContent = LABELS[current];

  button.addEventListener('click', () => {
    current = THEMES[THEMES.indexOf(current) + 1] ?? 'system';
    button.textContent = LABELS[current];
    if (current === 'system') delete root.dataset.theme;
    else root.dataset.theme = current;
    remember(current);
  });
}

/** @param {string} theme */
function remember(theme) {
  try {
    localStorage.setItem('theme', theme);
  } catch {
    // Storage may be forbidden; then the choice lasts as long as the page.
  }
}
