/** `microtune token`: who may use the daemon from elsewhere. Works on the data directory, whether a daemon runs on it or not. */
import type { Command } from 'commander';
import { failed, ok } from '../../../compiler/result.ts';
import { type Scope, scopes, type TokenRow } from '../../../db/tokens.ts';
import { addToken as makeToken, revokeToken } from '../../service/tokens.ts';
import type { Act } from '../index.ts';
import type { Io, Shows } from '../io.ts';
import { type CommonOptions, common, oneOf } from '../options.ts';
import { changeStore, readStore } from '../store.ts';
import { table } from '../table.ts';

interface AddOptions extends CommonOptions {
  readonly scope: Scope;
}
/** As over HTTP. */
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

export function addToken(program: Command, act: Act): void {
  const token = program.command('token').description('let others use the daemon: make, list and revoke tokens');
  const add = token
    .command('add')
    .description('make a token; it is printed this once, only its hash is kept')
    .argument('<name>', 'whose, or what for')
    .requiredOption(
      '--scope <scope>',
      'read: look; tune: also jobs; work: offer devices, nothing else; admin: all, also devices, tokens, backups',
      oneOf(...scopes),
    );
  common(add, 'microtune token add ci --scope tune').action(act(addOne));
  const list = token.command('list').description('names and scopes of the tokens');
  common(list, 'microtune token list').action(act(listAll));
  const revoke = token
    .command('revoke')
    .description('end a token, at once and for good')
    .argument('<name>', 'of the token');
  common(revoke, 'microtune token revoke ci').action(act(revokeOne));
}

async function addOne(_io: Io, name: string, o: AddOptions): Shows {
  if (!namePattern.test(name))
    return failed('input', 'USAGE', `"${name}" is no name: letters, digits, dots, dashes, at most 100`);
  // Also beside a daemon: it looks at the tokens with each request.
  const added = changeStore(o.data, (store) => makeToken(store, name, o.scope));
  return added.ok ? ok({ json: added.value, text: added.value.token }) : added;
}

async function listAll(_io: Io, o: CommonOptions): Shows {
  const tokens = readStore<readonly TokenRow[]>(o.data, (store) => store.tokens.all(), []);
  return tokens.ok ? ok({ json: tokens.value, text: textOf(tokens.value) }) : tokens;
}

async function revokeOne(_io: Io, name: string, o: CommonOptions): Shows {
  const revoked = changeStore(o.data, (store) => revokeToken(store, name));
  return revoked.ok ? ok({ json: revoked.value, text: `${name} is revoked` }) : revoked;
}

const textOf = (tokens: readonly TokenRow[]): string =>
  table(
    ['token', 'scope', 'created', 'revoked'],
    tokens.map((t) => [t.name, t.scope, t.createdAt, t.revokedAt ?? '-']),
  );
