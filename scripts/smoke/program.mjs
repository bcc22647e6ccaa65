// Runs inside an empty project that has the packed library installed: program.mjs <archive>
import * as library from '@oci-tar/core';

const error = new library.OciTarError('NOT_FOUND', 'no such image');
if (!library.isOciTarError(error, 'NOT_FOUND')) throw new Error('an error of the library is not recognised as one');
