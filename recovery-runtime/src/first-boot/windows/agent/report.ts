import { fromHex, hmacSha256 } from './sha256.ts';
import { count, read, say, write } from './station.ts';
import { resultOf } from './steps.ts';
import { lastLine, valuesOf } from './texts.ts';

/** HTTPREQUEST_PROXYSETTING_DIRECT of httprequest.h: a proxy for the Internet does not know the plant's service. */
var direct = 1;
var timeoutMilliseconds = 30000;

/** One try at each server. @returns the service has it, and it was the service */
export function send(last: boolean, steps: string[]): boolean {
  var job = read('job');
  var id = valuesOf(job, 'job')[0] || '';
  var sequence = count('sequence');
  var results: string[] = [];
  for (var at = 0; at < steps.length; at += 1) {
    var result = resultOf(steps[at] || '');
    if (result !== '') results.push(result);
  }
  var head = `{"formatVersion":1,"jobId":"${id}","sequence":${sequence},"last":${last},"agent":"windows",`;
  var body = `${head}"steps":[${results.join(',')}]}`;
  var key = fromHex(lastLine(read('key')));
  var expected = hmacSha256(key, `received ${sequence} ${last}`);
  var mac = hmacSha256(key, body);
  write('report.json', body);
  var servers = valuesOf(job, 'server');
  for (var server = 0; server < servers.length; server += 1) {
    var url = `${servers[server]}/first-boot/${id}`;
    var answer = post(url, mac, body);
    if (answer === expected) return true;
    say(`report ${sequence}: no proof from ${servers[server]} that it has it: ${answer.slice(0, 200)}`);
  }
  return false;
}

/** The answer, or why there is none. */
function post(url: string, mac: string, body: string): string {
  try {
    var request = new ActiveXObject('WinHttp.WinHttpRequest.5.1');
    request.SetProxy(direct);
    request.SetTimeouts(timeoutMilliseconds, timeoutMilliseconds, timeoutMilliseconds, timeoutMilliseconds);
    request.Open('POST', url, false);
    request.SetRequestHeader('Content-Type', 'application/json');
    request.SetRequestHeader('Rekindle-Mac', mac);
    request.Send(body);
    return request.Status === 200 ? request.ResponseText : `HTTP ${request.Status}`;
  } catch (error) {
    return `error ${(error as Error).number} ${(error as Error).message}`;
  }
}
