// Backups in a service that Apache OpenDAL knows. Secrets come from variables such as OPENDAL_OSS_ACCESS_KEY_SECRET.
//
//   node dist/examples/stores/opendal.js 'opendal://oss/example?bucket=backups&endpoint=https://oss-eu-central-1.aliyuncs.com'
//
// A service without conditional writes needs your promise that only one process at a time writes there. The program looks whether the
// service has them.
//
//   node dist/examples/stores/opendal.js 'opendal://webdav/example?endpoint=https://dav.example.com&singleWriter=true'

import { argument, roundTrip } from './round-trip.js';

void roundTrip(argument(1, "dist/examples/stores/opendal.js 'opendal://service/prefix?option=value'"));
