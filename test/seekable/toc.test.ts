import { describe, expect, it } from 'vitest';
import { timeText } from '../../packages/core/src/seekable/draft.ts';
import { parseToc } from '../../packages/core/src/seekable/toc-parse.ts';
import { stringifyToc } from '../../packages/core/src/seekable/toc-stringify.ts';
import type { Toc, TocEntry } from '../../packages/core/src/seekable/toc.ts';
import { text } from './support.ts';
import fc from '../support/fast-check.ts';

const written = (toc: Toc): string => Buffer.from(stringifyToc(toc)).toString();
const parsed = (entry: string): Toc => parseToc(text(`{"version":1,"entries":[${entry}]}`));

describe('a TOC', () => {
  it('is written as Go writes it: fields in their order, TABs, what is nothing left out', () => {
    const file: TocEntry = {
      name: 'a<b>&\u2028"\\\n\u0001é',
      type: 'reg',
      size: 3,
      modtime: '2020-01-01T00:00:00Z',
      linkName: '',
      mode: 0o644,
      uid: 0,
      gid: 5,
      userName: 'u',
      offset: 0,
      innerOffset: 512,
      xattrs: new Map([
        ['user.z', Uint8Array.of(0xff)],
        ['user.\u{10000}', new Uint8Array(0)],
        ['user.\uffff', text('v')],
      ]),
      digest: 'sha256:x',
      chunkSize: 3,
      chunkDigest: 'sha256:y',
      endOffset: 9,
    };
    expect(written({ version: 1, entries: [file, { name: 'd/', type: 'dir' }] })).toBe(
      [
        '{',
        '\t"version": 1,',
        '\t"entries": [',
        '\t\t{',
        '\t\t\t"name": "a\\u003cb\\u003e\\u0026\\u2028\\"\\\\\\n\\u0001é",',
        '\t\t\t"type": "reg",',
        '\t\t\t"size": 3,',
        '\t\t\t"modtime": "2020-01-01T00:00:00Z",',
        '\t\t\t"mode": 420,',
        '\t\t\t"gid": 5,',
        '\t\t\t"userName": "u",',
        '\t\t\t"innerOffset": 512,',
        '\t\t\t"xattrs": {',
        '\t\t\t\t"user.z": "/w==",',
        '\t\t\t\t"user.\uffff": "dg==",',
        '\t\t\t\t"user.\u{10000}": ""',
        '\t\t\t},',
        '\t\t\t"digest": "sha256:x",',
        '\t\t\t"chunkSize": 3,',
        '\t\t\t"chunkDigest": "sha256:y"',
        '\t\t},',
        '\t\t{',
        '\t\t\t"name": "d/",',
        '\t\t\t"type": "dir"',
        '\t\t}',
        '\t]',
        '}',
      ].join('\n'),
    );
  });

  it('without entries is written as Go writes one, and read', () => {
    expect(written({ version: 1, entries: [] })).toBe('{\n\t"version": 1,\n\t"entries": null\n}');
    expect(parseToc(stringifyToc({ version: 1, entries: [] })).entries).toEqual([]);
  });

  it('is read as it was written', () => {
    const words = fc.string({ unit: 'grapheme', minLength: 1 });
    const entry = fc.record<TocEntry>(
      {
        name: words,
        type: fc.constantFrom('dir', 'reg', 'symlink', 'hardlink', 'char', 'block', 'fifo', 'chunk'),
        size: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
        linkName: words,
        uid: fc.integer({ min: 1 }),
        xattrs: fc.array(fc.tuple(words, fc.uint8Array()), { minLength: 1 }).map((pairs) => new Map(pairs)),
        digest: words,
        innerOffset: fc.integer({ min: 1 }),
      },
      { requiredKeys: ['name', 'type'] },
    );
    fc.assert(
      fc.property(fc.array(entry), (entries) => {
        expect(parseToc(stringifyToc({ version: 1, entries }))).toEqual({ version: 1, entries });
      }),
    );
  });

  it('may have fields of later versions', () => {
    expect(parsed('{"name":"a","type":"dir","NumLink":2,"later":[{}]}').entries).toEqual([{ name: 'a', type: 'dir' }]);
  });

  it.each([
    ['another version', '{"version":2,"entries":[]}'],
    ['no version', '{"entries":[]}'],
    ['no entries', '{"version":1}'],
    ['entries that are no list', '{"version":1,"entries":{}}'],
    ['an entry that is no object', '{"version":1,"entries":[1]}'],
    ['no object', '[]'],
    ['a second spelling of a key', '{"version":1,"Entries":[],"entries":[]}'],
    ['a key spelt with a long s, which Go takes for one', '{"version":1,"entrieſ":[],"entries":[]}'],
  ])('is refused with %s', (_, json) => {
    expect(() => parseToc(text(json))).toThrow(expect.objectContaining({ code: 'INVALID_TOC' }));
  });

  it.each([
    ['no name', '{"type":"dir"}'],
    ['an unknown type', '{"name":"a","type":"socket"}'],
    ['a negative number', '{"name":"a","type":"reg","size":-1}'],
    ['a number that is not whole', '{"name":"a","type":"reg","offset":1.5}'],
    ['a number in a text', '{"name":"a","type":"reg","size":"1"}'],
    ['null for a number', '{"name":"a","type":"reg","size":null}'],
    ['a text that is none', '{"name":"a","type":"reg","digest":5}'],
    ['a key in another case', '{"name":"a","type":"reg","Size":1}'],
    ['a key with a long s, which Go takes for one', '{"name":"a","type":"reg","ſize":1}'],
    ['a key in another case beside the right one', '{"name":"a","NAME":"b","type":"reg"}'],
    ['extended attributes that are not base64', '{"name":"a","type":"reg","xattrs":{"x":"a"}}'],
  ])('is refused where an entry has %s', (_, entry) => {
    expect(() => parsed(entry)).toThrow(expect.objectContaining({ code: 'INVALID_TOC' }));
  });

  it.each([
    ['a key twice', '{"name":"a","name":"b","type":"reg"}'],
    ['a number of 2^53', '{"name":"a","type":"reg","size":9007199254740992}'],
  ])('is refused where an entry has %s', (_, entry) => {
    expect(() => parsed(entry)).toThrow(expect.objectContaining({ code: 'INVALID_JSON' }));
  });

  it('is refused with anything after it', () => {
    expect(() => parseToc(text('{"version":1,"entries":[]}{}'))).toThrow(expect.objectContaining({ code: 'INVALID_JSON' }));
  });

  it('is refused over the limit', () => {
    const json = text('{"version":1,"entries":[]}');
    expect(() => parseToc(json, { limit: json.length - 1 })).toThrow(expect.objectContaining({ code: 'LIMIT_EXCEEDED' }));
    expect(parseToc(json, { limit: json.length }).entries).toEqual([]);
  });
});

it('writes times in whole seconds, and none within the first second of 1970', () => {
  const times = [0, 0.9, -0.4, 1.5, 2 ** 31, -62_167_219_200, -62_167_219_201, 253_402_300_799, 253_402_300_799.5];
  expect(times.map(timeText)).toEqual([
    '',
    '',
    '1970-01-01T00:00:00Z',
    '1970-01-01T00:00:02Z',
    '2038-01-19T03:14:08Z',
    '0000-01-01T00:00:00Z',
    undefined,
    '9999-12-31T23:59:59Z',
    undefined,
  ]);
});
