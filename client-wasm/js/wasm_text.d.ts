/** What `build.js` makes of a file: its bytes as a text that `index.ts` reads. */
declare module '*.wasm' {
  const text: string;
  export default text;
}
