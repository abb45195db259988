import webpack from 'webpack';

/** @param {string} path */
export async function build(path) {
    const compiler = webpack({
        mode: 'production',
        context: import.meta.dirname,
        entry: { main: './main.js', url: './url.js', domain: './domain.js', 'domain-url': './domain-url.js' },
        output: { path, filename: '[name].js' },
        performance: { hints: false }, // It warns of modules as large as all entities.
    });
    /** @type {webpack.Stats} */
    const stats = await new Promise((resolve, reject) => {
        compiler?.run((error, stats) => (stats ? resolve(stats) : reject(error)));
    });
    await new Promise((resolve) => compiler?.close(resolve));
    const { errors = [], warnings = [] } = stats.toJson({ all: false, errors: true, warnings: true });
    return [...errors, ...warnings];
}
