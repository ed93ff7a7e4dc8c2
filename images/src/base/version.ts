import packageFile from '../../../package.json' with { type: 'json' };

/** Of this Rekindle, as image manifests and reports name it. */
export const version: string = packageFile.version;
