/** docs/errors.md, made from the table. */
import { errors, exitCodes } from './errors.ts';

/** docs/errors.md, whole. */
export function errorsPage(): string {
  const rows = Object.entries(errors).map(
    ([code, e]) => `| \`${code}\` | ${e.meaning} | ${e.advice} | ${e.http} | ${e.exit} |`,
  );
  const exits = Object.entries(exitCodes).map(([code, meaning]) => `| ${code} | ${meaning} |`);
  return `# Errors
Every error has a code. Over HTTP it stands in problem details (RFC 9457: \`{"type", "title", "status", "detail", "code", "stage"}\`) with the status below; a command prints
\`error CODE: detail\` on standard error and ends with the exit code below. What happens to a job stands in its body
(\`error\`), what happens to a trial in its record (\`stage\`, \`code\`, \`detail\`); there the status is that of no request.

This page is made from \`server/errors.ts\` by \`node scripts/generate-errors.ts\`.

| exit code | meaning |
|---|---|
${exits.join('\n')}

| code | meaning | what to do | HTTP | exit |
|---|---|---|---|---|
${rows.join('\n')}
`;
}
