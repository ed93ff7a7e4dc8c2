import { exitCodeOf, formatError } from '#base/errors.ts';
import { formatImageRef } from '#images/format/image-name.ts';
import { type CaptureJob, captureDemoImage } from './station.ts';

/** `node capture-child.ts '<CaptureJob as JSON>'`: a capture to be killed; prints the image when it is published. */
try {
  const { name } = await captureDemoImage(JSON.parse(process.argv[2] ?? '') as CaptureJob);
  console.log(formatImageRef(name));
} catch (error) {
  console.error(formatError(error));
  process.exitCode = exitCodeOf(error);
}
