// Has the bundle hold of undici what the command line uses: its client of HTTP/1.1, through agents and proxies. All of it takes
// 53 ms to load, of which 39 ms are fetch, WebSocket, HTTP/2 (node:http2 alone takes 8) and mocks, on each run that asks a server.

/** What is imported from undici anywhere in packages/core; a name that is missing here fails when it is used. */
const index = `
const Dispatcher = require('./lib/dispatcher/dispatcher.js');
Dispatcher.prototype.request = require('./lib/api/api-request.js');
// A proxy is asked for a tunnel with it.
Dispatcher.prototype.connect = require('./lib/api/api-connect.js');
exports.Agent = require('./lib/dispatcher/agent.js');
exports.Pool = require('./lib/dispatcher/pool.js');
exports.EnvHttpProxyAgent = require('./lib/dispatcher/env-http-proxy-agent.js');
exports.buildConnector = require('./lib/core/connect.js');
`;

/** HTTP/2 and SOCKS are never asked for, and no body is a form. */
const unused = /[\\/](?:client-h2|socks5-proxy-agent|web[\\/]fetch[\\/]body)(?:\.js)?$/;

/** @returns {import('esbuild').Plugin} */
export function slimUndici() {
  return {
    name: 'slim-undici',
    setup({ onLoad }) {
      onLoad({ filter: /[\\/]undici[\\/]index\.js$/ }, () => ({ contents: index, loader: 'js' }));
      onLoad({ filter: /[\\/]undici[\\/]lib[\\/].*\.js$/ }, ({ path }) =>
        unused.test(path) ? { contents: "module.exports = () => { throw new Error('this part of undici is not in the bundle'); };", loader: 'js' } : undefined,
      );
    },
  };
}
