/** What the package uses of the generated glue: all of it that a browser downloads. `cargo xtask size` weighs this. */

export { initSync, Kind, Session } from '../pkg/highwater_client.js';
