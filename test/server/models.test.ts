/** Uploads: every way in, every refusal, and nothing that a file can say harms the daemon. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ModelBody } from '../../server/schemas/index.ts';
import { samples } from '../samples.ts';
import { errorIn, startBench } from './bench.ts';
import { smallModel } from './model.ts';

test('a model comes in as bytes, and the answer says what is in it', async () => {
  const b = await startBench();
  const bytes = smallModel(1);
  const made = await b.upload(bytes, '?name=dir/My%20Net.tflite');
  expect(made.statusCode).toBe(201);
  const model = made.json<ModelBody>();
  expect(model).toMatchObject({
    name: 'My Net.tflite',
    bytes: bytes.length,
    inputs: [{ name: 'in0', dtype: 'int8', shape: [1, 6, 6, 8] }],
    outputs: [{ dtype: 'int8', shape: [1, 4] }],
    operators: { conv2d: 2, average_pool2d: 1, reshape: 1, fully_connected: 1 },
  });
  expect(model.tasks.map((t) => [t.op, t.occurrences])).toEqual([
    ['conv2d', 2],
    ['average_pool2d', 1],
    ['fully_connected', 1],
  ]);
  // 2 convolutions of 36 pixels, 8 to 8 channels, 3x3; a pooling of 36x8; a classifier of 8x4.
  expect(model.macs).toBe(2 * 36 * 8 * 8 * 9 + 36 * 8 + 32);
  expect((await b.get(`/v1/models/${model.id}`)).json()).toEqual(model);
});

test('a model comes in as a form with one file; the same bytes are the same model', async () => {
  const b = await startBench();
  const bytes = smallModel(2);
  const form = new FormData();
  form.append('file', new Blob([Buffer.from(bytes)]), 'net.tflite');
  const made = await b.app.inject({ method: 'POST', url: '/v1/models', payload: form });
  expect(made.statusCode).toBe(201);
  expect(made.json<ModelBody>().name).toBe('net.tflite');
  expect((await b.upload(bytes, '?name=other')).json<ModelBody>().id).toBe(made.json<ModelBody>().id);
});

test('what is no model is refused and not stored', async () => {
  const b = await startBench();
  const cases: readonly (readonly [Uint8Array, string])[] = [
    [new Uint8Array(), 'MODEL_UNKNOWN_FORMAT'],
    [Buffer.from('hello'), 'MODEL_UNKNOWN_FORMAT'],
    [smallModel(1).subarray(0, 700), 'MODEL_CORRUPT'],
  ];
  for (const [bytes, code] of cases) {
    const answer = await b.upload(bytes);
    expect(answer.statusCode).toBe(422);
    expect(errorIn(answer)).toMatchObject({ code, stage: 'import' });
  }
  const missing = await b.get('/v1/models/nope');
  expect([missing.statusCode, errorIn(missing).code]).toEqual([404, 'MODEL_NOT_FOUND']);
});

test('wrong content types, empty forms and bodies beyond the limit are refused', async () => {
  const b = await startBench();
  const send = (type: string, payload: string, more = {}) =>
    b.app.inject({ method: 'POST', url: '/v1/models', headers: { 'content-type': type, ...more }, payload });
  for (const type of ['application/json', 'text/plain', 'image/png']) {
    const answer = await send(type, '{}');
    expect([type, answer.statusCode, errorIn(answer).code]).toEqual([type, 415, 'MEDIA_TYPE']);
  }
  const noFile = await send('multipart/form-data; boundary=x', '--x--\r\n');
  expect([noFile.statusCode, errorIn(noFile).code]).toEqual([400, 'BAD_REQUEST']);
  for (const [type, payload] of [
    ['multipart/form-data', 'x'],
    ['multipart/form-data; boundary=x', 'no form'],
    ['multipart/form-data; boundary=x', '--x\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\ncut off'],
  ] as const) {
    const broken = await send(type, payload);
    expect([broken.statusCode, errorIn(broken).code]).toEqual([400, 'BAD_REQUEST']);
  }
  const large = await send('application/octet-stream', 'x', { 'content-length': String(2 ** 30) });
  expect([large.statusCode, errorIn(large).code]).toEqual([413, 'BODY_TOO_LARGE']);
});

test('models with bytes changed or cut off are stored or refused, never an error of ours', async () => {
  const b = await startBench();
  const whole = smallModel(3);
  const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 4 }), fc.nat(whole.length), async (changes, length) => {
      const bytes = whole.slice(0, length % 5 === 0 ? length : whole.length);
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      expect([201, 422]).toContain((await b.upload(bytes)).statusCode);
    }),
    { seed: 1, numRuns: samples(150, 5000) },
  );
});
