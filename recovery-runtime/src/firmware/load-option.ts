import { RekindleError } from '#base/errors.ts';

/**
 * EFI_LOAD_OPTION (UEFI 2.10, section 3.1.3): Attributes u32, FilePathListLength u16, Description as
 * NUL-terminated UCS-2, FilePathList (device paths), OptionalData to the end. Little-endian.
 */
export interface LoadOption {
  readonly attributes: number;
  readonly description: string;
  readonly nodes: readonly DevicePathNode[];
}

/** EFI_DEVICE_PATH_PROTOCOL (section 10.2): Type u8, SubType u8, Length u16 with these four bytes, data. */
export interface DevicePathNode {
  readonly type: number;
  readonly subType: number;
  readonly data: Uint8Array;
}

const fixedBytes = 6;
const nodeHeaderBytes = 4;

/** @throws RekindleError `unexpected` when the bytes are not a load option */
export function parseLoadOption(bytes: Uint8Array): LoadOption {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < fixedBytes) throw notALoadOption(`it has ${bytes.byteLength} bytes`);
  const pathBytes = view.getUint16(4, true);

  let end = fixedBytes;
  for (; end + 2 <= bytes.byteLength && view.getUint16(end, true) !== 0; ) end += 2;
  if (end + 2 > bytes.byteLength) throw notALoadOption('its description does not end');
  const offset = end + 2;
  if (offset + pathBytes > bytes.byteLength) throw notALoadOption('its device path is cut off');
  return {
    attributes: view.getUint32(0, true),
    description: Buffer.from(bytes.subarray(fixedBytes, end)).toString('utf16le'),
    nodes: parseDevicePath(bytes.subarray(offset, offset + pathBytes)),
  };
}

function parseDevicePath(bytes: Uint8Array): DevicePathNode[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const nodes: DevicePathNode[] = [];
  for (let offset = 0; offset < bytes.byteLength; ) {
    if (offset + nodeHeaderBytes > bytes.byteLength) throw notALoadOption('a device path node is cut off');
    const length = view.getUint16(offset + 2, true);
    if (length < nodeHeaderBytes || offset + length > bytes.byteLength) {
      throw notALoadOption(`a device path node says it has ${length} bytes`);
    }
    nodes.push({
      type: view.getUint8(offset),
      subType: view.getUint8(offset + 1),
      data: bytes.subarray(offset + nodeHeaderBytes, offset + length),
    });
    offset += length;
  }
  return nodes;
}

/**
 * GUID of the GPT partition that the option starts from, upper case, or nothing: the Hard Drive node
 * (section 10.3.5.1): PartitionNumber u32, start u64, size u64, signature 16 bytes, format u8, signature type u8.
 */
export function partitionGuidOf(option: LoadOption): string | undefined {
  const mediaDevicePath = 4;
  const hardDrive = 1;
  const guidSignature = 2;
  for (const { type, subType, data } of option.nodes) {
    if (type !== mediaDevicePath || subType !== hardDrive || data.byteLength < 38) continue;
    if (data[37] === guidSignature) return formatGuid(data.subarray(20, 36));
  }
  return undefined;
}

/** EFI_GUID (appendix A): the first three fields are little-endian. */
function formatGuid(bytes: Uint8Array): string {
  const hex = (indexes: readonly number[]) =>
    indexes.map((index) => (bytes[index] ?? 0).toString(16).padStart(2, '0')).join('');
  return [hex([3, 2, 1, 0]), hex([5, 4]), hex([7, 6]), hex([8, 9]), hex([10, 11, 12, 13, 14, 15])]
    .join('-')
    .toUpperCase();
}

function notALoadOption(why: string): RekindleError {
  return new RekindleError('unexpected', `reading a UEFI boot entry: ${why}`);
}
