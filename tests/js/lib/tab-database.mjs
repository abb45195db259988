/**
 * What tests do in a page to the database of its device.
 */

/**
 * Runs in the page: reads the database as anybody could.
 *
 * @param {string} key
 * @param {number} count
 */
export async function stored(key, count) {
    const [{ name = '' } = {}] = await indexedDB.databases().then((all) => all.filter(({ name }) => name?.endsWith(window.tab.name)));
    /**
     * @template T
     * @param {IDBRequest<T>} request
     * @returns {Promise<T>}
     */
    const done = (request) =>
        new Promise((resolve, reject) => {
            request.onsuccess = () => resolve(request.result);
            request.onerror = () => reject(request.error);
        });
    for (;;) {
        const database = await done(indexedDB.open(name));
        const store = key === 'intents' ? 'intents' : 'states';
        const objects = database.transaction(store).objectStore(store);
        const found = key === 'intents' ? await done(objects.count()) : (await done(objects.getAll())).find((state) => state.key.startsWith(`${key} `))?.confirmed.revision;
        database.close();
        if (found === count) {
            return;
        }
        await new Promise((resolve) => window.tab.changed.addEventListener('change', resolve, { once: true }));
    }
}

/**
 * Runs in the page.
 *
 * @param {string[]} topics
 */
export async function cursors(topics) {
    const [{ name = '' } = {}] = await indexedDB.databases().then((all) => all.filter(({ name }) => name?.endsWith(window.tab.name)));
    const opening = indexedDB.open(name);
    await new Promise((resolve) => (opening.onsuccess = resolve));
    const database = opening.result;
    for (;;) {
        const keys = database.transaction('meta').objectStore('meta').getAllKeys();
        await new Promise((resolve) => (keys.onsuccess = resolve));
        const found = keys.result.map(String).filter((key) => key.startsWith('cursor '));
        if (`${found}` === `${topics.map((topics) => `cursor ${topics}`)}`) {
            return database.close();
        }
        await new Promise((resolve) => window.tab.changed.addEventListener('change', resolve, { once: true }));
    }
}

/** Runs in the page. */
export async function ageCursors() {
    const [{ name = '' } = {}] = await indexedDB.databases().then((all) => all.filter(({ name }) => name?.endsWith(window.tab.name)));
    const opening = indexedDB.open(name);
    await new Promise((resolve) => (opening.onsuccess = resolve));
    const transaction = opening.result.transaction('meta', 'readwrite');
    const places = transaction.objectStore('meta').openCursor(IDBKeyRange.bound('cursor ', 'cursor!'));
    places.onsuccess = () => {
        const place = places.result;
        place?.update({ ...place.value, storedAt: place.value.storedAt - 365 * 24 * 3_600_000 });
        place?.continue();
    };
    await new Promise((resolve) => (transaction.oncomplete = resolve));
    opening.result.close();
}

/**
 * Runs in the page.
 *
 * @param {boolean} leavesOne
 */
export async function breakDatabase(leavesOne) {
    const [{ name = '' } = {}] = await indexedDB.databases().then((all) => all.filter(({ name }) => name?.endsWith(window.tab.name)));
    /** @param {IDBOpenDBRequest} request */
    const done = (request) =>
        new Promise((resolve, reject) => {
            request.onsuccess = resolve;
            request.onerror = () => reject(request.error);
        });
    await done(indexedDB.deleteDatabase(name));
    if (leavesOne) {
        const opening = indexedDB.open(name, 1);
        await done(opening);
        opening.result.close();
    }
}

/** Runs in the page. */
export async function holdDatabase() {
    const [{ name = '' } = {}] = await indexedDB.databases().then((all) => all.filter(({ name }) => name?.endsWith(window.tab.name)));
    const opening = indexedDB.open(name);
    await new Promise((resolve) => (opening.onsuccess = resolve));
    const all = opening.result.objectStoreNames;
    const objects = opening.result.transaction(all, 'readwrite').objectStore('meta');
    await new Promise((resolve) => {
        const goOn = () => {
            objects.count().onsuccess = goOn;
            resolve(undefined);
        };
        goOn();
    });
}
