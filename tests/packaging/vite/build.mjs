import { createLogger, createServer, build as viteBuild } from 'vite';

/** @param {string} outDir */
export async function build(outDir) {
    /** @type {string[]} */
    const warnings = [];
    const customLogger = createLogger('silent');
    customLogger.warn = (text) => warnings.push(text);
    const input = ['index.html', 'url.html', 'domain.html', 'domain-url.html'].map((file) => `${import.meta.dirname}/${file}`);
    await viteBuild({
        root: import.meta.dirname,
        configFile: false,
        customLogger,
        build: { outDir, emptyOutDir: true, rolldownOptions: { input } },
    });
    return warnings;
}

/**
 * Starts what a developer works with.
 *
 * @param {string} cacheDir
 * @param {string} highwater  The server's URL.
 */
export async function develop(cacheDir, highwater) {
    const server = await createServer({
        root: import.meta.dirname,
        configFile: false,
        cacheDir,
        logLevel: 'warn',
        server: { host: '127.0.0.1', port: 0, proxy: { '/v1': highwater } },
    });
    await server.listen();
    const [url = ''] = server.resolvedUrls?.local ?? [];
    return { url: url.replace(/\/$/, ''), close: () => server.close() };
}
