// A certified OAuth 2.0 server (oidc-provider) for the integration tests.
//
// Environment: CLIENT_ID (default "client"), CLIENT_SECRET (default "sec:ret/+%&= ~"),
// TTL (seconds, default 600), PORT (default 0: any free one), NODE_PATH (where the
// node_modules with oidc-provider are), TLS (a folder with server.pem and server.key, for HTTPS).
// Prints one line, "listening http://127.0.0.1:PORT/token", when ready. Ends when stdin closes.
import { webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const {
  CLIENT_ID = 'client',
  CLIENT_SECRET = 'sec:ret/+%&= ~',
  TTL = '600',
  PORT = '0',
  TLS,
} = process.env;

process.stdin.on('end', () => process.exit(0));
process.stdin.on('error', () => process.exit(0));
process.stdin.resume();

// The library prints notices with console.info; stdout is for the one line only.
console.log = console.error;
console.info = console.error;

// The library wants Node 22. Debian 12 has Node 18, which lacks only these two.
globalThis.crypto ??= webcrypto;
URL.parse ??= (...args) => (URL.canParse(...args) ? new URL(...args) : null);

// `import` takes no notice of NODE_PATH, `require.resolve` does.
const library = createRequire(import.meta.url).resolve('oidc-provider');
const { default: Provider } = await import(pathToFileURL(library));

const server = TLS
  ? createTlsServer({
      cert: readFileSync(`${TLS}/server.pem`),
      key: readFileSync(`${TLS}/server.key`),
    })
  : createServer();
server.listen(Number(PORT), '127.0.0.1', () => {
  const base = `${TLS ? 'https' : 'http'}://127.0.0.1:${server.address().port}`;
  const provider = new Provider(base, {
    clients: [
      {
        client_id: CLIENT_ID,
        client_secret: CLIENT_SECRET,
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
      },
    ],
    scopes: ['read', 'write'],
    ttl: { ClientCredentials: Number(TTL) },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      // POST /token/introspection and /token/revocation: to revoke a token before its time.
      introspection: { enabled: true },
      revocation: { enabled: true },
    },
  });
  provider.on('grant.success', () => console.error('token given'));
  provider.on('grant.error', (_ctx, error) =>
    console.error(`token refused: ${error.error}: ${error.error_description}`));
  provider.on('server_error', (_ctx, error) => console.error(error));
  server.on('request', provider.callback());
  process.stdout.write(`listening ${base}/token\n`);
});
