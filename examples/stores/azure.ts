// Backups in Azure Blob Storage. The credentials come from AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, or, with the package
// @azure/identity, from the identity of the machine. The container must exist.
//
//   node dist/examples/stores/azure.js az://account/container/example

import { argument, roundTrip } from './round-trip.js';

void roundTrip(argument(1, 'dist/examples/stores/azure.js az://account/container/prefix'));
