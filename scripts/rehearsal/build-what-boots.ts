#!/usr/bin/env node
/** Builds what rehearsals boot, when it has changed: `npm test` runs this beside the other tests. */
import path from 'node:path';
import { buildDemoStation } from './build-demo-station.ts';

const stateDirectory = path.join(import.meta.dirname, '../../.rekindle');
const onProgress = (sentence: string) => console.log(`for the rehearsals: ${sentence}`);
await buildDemoStation({ directory: stateDirectory, onProgress });
