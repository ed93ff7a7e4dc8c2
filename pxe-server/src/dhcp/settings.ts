import type { Ipv4Address } from '../boot/ipv4-address.ts';

/** What the handlers need to know about the network; plain values from the configuration. */
export interface DhcpSettings {
  /** `proxy`: another DHCP server gives the addresses. `reservation`: we do, to machines that we know. */
  readonly mode: 'proxy' | 'reservation';
  /** The interface that these settings are for: requests that came through another one are not heard. */
  readonly interfaceName: string;
  /** Our own address on that interface; also our server identifier (option 54). */
  readonly interfaceAddress: Ipv4Address;
  readonly netmask: Ipv4Address;
  readonly tftpServer: Ipv4Address;
  /** `http://10.77.0.1:8080`, no slash at the end. */
  readonly httpBaseUrl: string;
  readonly leaseSeconds: number;
  /** Reservation mode: addresses for unknown machines in an open enrolment window, both ends included. */
  readonly enrolmentPool?: { readonly first: Ipv4Address; readonly last: Ipv4Address };
}
