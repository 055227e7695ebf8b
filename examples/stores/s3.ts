// Backups in Amazon S3, or in a store that speaks S3. The AWS SDK finds the credentials: AWS_PROFILE, for instance, or AWS_ACCESS_KEY_ID and
// AWS_SECRET_ACCESS_KEY. The bucket must exist.
//
//   node dist/examples/stores/s3.js 's3://my-bucket/example?region=eu-central-1'
//   node dist/examples/stores/s3.js 's3://my-bucket/example?endpoint=https://minio.example.com'

import { argument, roundTrip } from './round-trip.js';

void roundTrip(argument(1, "dist/examples/stores/s3.js 's3://bucket/prefix?region=...'"));
