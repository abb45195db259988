/** What esbuild's loader `binary` makes of a file: its bytes, inline. */
declare module '*.wasm' {
  const bytes: Uint8Array<ArrayBuffer>;
  export default bytes;
}
