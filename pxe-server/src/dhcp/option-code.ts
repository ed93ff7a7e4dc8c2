/** DHCP option numbers that we read or write; all others pass through the codec as bytes. */
export const optionCode = {
  pad: 0, // RFC 2132 3.1
  subnetMask: 1, // RFC 2132 3.3
  router: 3, // RFC 2132 3.5
  domainNameServer: 6, // RFC 2132 3.8
  hostName: 12, // RFC 2132 3.14
  broadcastAddress: 28, // RFC 2132 5.3
  vendorSpecific: 43, // RFC 2132 8.4; PXE 2.1 table 2-1
  requestedAddress: 50, // RFC 2132 9.1
  leaseTime: 51, // RFC 2132 9.2
  overload: 52, // RFC 2132 9.3
  messageType: 53, // RFC 2132 9.6
  serverIdentifier: 54, // RFC 2132 9.7
  parameterRequestList: 55, // RFC 2132 9.8
  message: 56, // RFC 2132 9.9
  maximumMessageSize: 57, // RFC 2132 9.10
  renewalTime: 58, // RFC 2132 9.11
  rebindingTime: 59, // RFC 2132 9.12
  vendorClass: 60, // RFC 2132 9.13
  clientIdentifier: 61, // RFC 2132 9.14
  tftpServerName: 66, // RFC 2132 9.4
  bootFileName: 67, // RFC 2132 9.5
  userClass: 77, // RFC 3004
  relayAgentInformation: 82, // RFC 3046
  clientArchitecture: 93, // RFC 4578 2.1
  clientNetworkInterface: 94, // RFC 4578 2.2
  clientMachineIdentifier: 97, // RFC 4578 2.3
  ipxe: 175, // iPXE encapsulated options
  end: 255, // RFC 2132 3.2
} as const;
