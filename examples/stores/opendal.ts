// Backups in a service that Apache OpenDAL knows. It must have conditional writes; the program looks whether it has. Secrets come from
// variables such as OPENDAL_OSS_ACCESS_KEY_SECRET.
//
//   node dist/examples/stores/opendal.js 'opendal://oss/example?bucket=backups&endpoint=https://oss-eu-central-1.aliyuncs.com'

import { argument, roundTrip } from './round-trip.js';

void roundTrip(argument(1, "dist/examples/stores/opendal.js 'opendal://service/prefix?option=value'"));
