import { decodeText } from '../../tar/text.ts';
import type { Decompressor } from '../format.ts';
import { emptyMemberSize, extraOfEmptyMember } from './gzip-bytes.ts';
import { estargzDecompressor, tocPosition } from './estargz.ts';

/**
 * stargz, the format before eStargz (crfs): its footer has the TOC's position without a subfield around it. Its chunks mostly have no
 * digests. Only read.
 */
export const legacyStargzDecompressor: Decompressor = {
  ...estargzDecompressor,
  name: 'stargz',
  footerSize: emptyMemberSize(22),
  parseFooter(footer) {
    const extra = extraOfEmptyMember(footer);
    return extra === undefined ? undefined : tocPosition(decodeText(extra));
  },
};
