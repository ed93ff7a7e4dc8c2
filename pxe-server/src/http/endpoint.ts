import express, { type Request, type Response, type Router } from 'express';
import * as z from 'zod';
import type { Problem } from '#contract/api.ts';
import { findGrant, type Grant } from '../jobs/token.ts';
import { machineAt } from '../journal/neighbour-table.ts';
import type { State } from '../site/state.ts';

/** What an endpoint answers: a value that fits its reply schema, or a refusal. Both are expected outcomes. */
export type Reply<Value> =
  | { readonly kind: 'ok'; readonly value: Value }
  | { readonly kind: 'refused'; readonly status: number; readonly problem: Problem };

export type Refused = Extract<Reply<never>, { kind: 'refused' }>;

export function ok<Value>(value: Value): Reply<Value> {
  return { kind: 'ok', value };
}

export function refuse(status: number, problem: Problem): Refused {
  return { kind: 'refused', status, problem };
}

export interface Asked<Body> {
  readonly body: Body;
  readonly parameters: Readonly<Record<string, string>>;
  /** MAC address of who asks, or its IP address where the kernel knows no MAC. */
  readonly machine: string;
  /** Address of ours that it has just used. */
  readonly serviceAddress: string;
}

interface EndpointBase<Body extends z.ZodType, Value extends z.ZodType> {
  readonly method: 'get' | 'post';
  readonly path: string;
  readonly body: Body;
  readonly reply: Value;
  /** Largest body, as Express writes sizes. */
  readonly limit?: string;
}

export interface OpenEndpoint<Body extends z.ZodType, Value extends z.ZodType>
  extends EndpointBase<Body, Value> {
  handle(asked: Asked<z.output<Body>>): Promise<Reply<z.input<Value>>>;
}

/** The caller's token, and what it stands for. */
export interface Granted {
  readonly grant: Grant;
  readonly token: string;
}

export interface GrantedEndpoint<Body extends z.ZodType, Value extends z.ZodType>
  extends EndpointBase<Body, Value> {
  /** Kinds of token that may ask. A token of a job asks about that job only. */
  readonly grant: readonly Grant['kind'][];
  handle(asked: Asked<z.output<Body>> & Granted): Promise<Reply<z.input<Value>>>;
}

/** For requests without a body, and replies without one (status 204). */
export const nothing: z.ZodType<undefined> = z.undefined();

/** Largest body of an ordinary request: a passport with thousands of modaliases is about half of it. */
const defaultLimit = '2mb';

/** For whoever asks: log-on, and what comes before it. */
export function addOpenEndpoint<Body extends z.ZodType, Value extends z.ZodType>(
  router: Router,
  endpoint: OpenEndpoint<Body, Value>,
): void {
  const readBody = bodyReader(endpoint);
  router[endpoint.method](endpoint.path, async (request, response) => {
    const body = await readBody(request, response);
    if ('kind' in body) return sendProblem(response, body);
    sendReply(response, endpoint.reply, await endpoint.handle(askedOf(request, body.value)));
  });
}

/** Order: token, then body, then the endpoint; an unknown caller never makes the service parse anything. */
export function addEndpoint<Body extends z.ZodType, Value extends z.ZodType>(
  router: Router,
  state: State,
  endpoint: GrantedEndpoint<Body, Value>,
): void {
  const readBody = bodyReader(endpoint);
  router[endpoint.method](endpoint.path, async (request, response) => {
    const granted = authenticate(state, request, endpoint.grant);
    if ('kind' in granted) return sendProblem(response, granted);
    const body = await readBody(request, response);
    if ('kind' in body) return sendProblem(response, body);
    const asked = { ...askedOf(request, body.value), ...granted };
    sendReply(response, endpoint.reply, await endpoint.handle(asked));
  });
}

function bodyReader<Body extends z.ZodType, Value extends z.ZodType>(endpoint: EndpointBase<Body, Value>) {
  const hasBody = (endpoint.body as z.ZodType) !== nothing;
  const readJson = express.json({ limit: endpoint.limit ?? defaultLimit, strict: true, type: () => true });
  return async (
    request: Request,
    response: Response,
  ): Promise<{ readonly value: z.output<Body> } | Refused> => {
    if (hasBody) {
      await new Promise<void>((resolve, reject) => {
        readJson(request, response, (error?: unknown) => (error === undefined ? resolve() : reject(error)));
      });
    }
    const parsed = endpoint.body.safeParse(hasBody ? request.body : undefined);
    return parsed.success ? { value: parsed.data } : refuse(400, badBody(parsed.error));
  };
}

function askedOf<Body>(request: Request, body: Body): Asked<Body> {
  return {
    body,
    parameters: request.params as Readonly<Record<string, string>>,
    machine: machineAt(request.socket.remoteAddress ?? ''),
    serviceAddress: (request.socket.localAddress ?? '').replace(/^::ffff:/, ''),
  };
}

function sendReply<Value extends z.ZodType>(
  response: Response,
  schema: Value,
  reply: Reply<z.input<Value>>,
): void {
  if (reply.kind === 'refused') {
    sendProblem(response, reply);
    return;
  }
  const value: unknown = schema.parse(reply.value);
  response.set('Cache-Control', 'no-store');
  if (value === undefined) response.status(204).end();
  else response.json(value);
}

/** The grant behind `Authorization: Bearer …`; a token of a job only at paths of that job. */
export function authenticate(
  state: State,
  request: Request,
  kinds: readonly Grant['kind'][],
): Granted | Refused {
  const token = /^Bearer ([A-Za-z0-9_-]{43})$/.exec(request.get('authorization') ?? '')?.[1];
  const grant = token === undefined ? undefined : findGrant(state, token);
  if (token === undefined || grant === undefined) {
    return refuse(401, {
      code: 'not-logged-on',
      message: 'This request carries no valid token, or its time is over.',
      next: 'Log on again.',
    });
  }
  const job = request.params['jobId'];
  if (!kinds.includes(grant.kind) || (job !== undefined && job !== grant.job)) return notAllowed();
  return { grant, token };
}

export function notAllowed(message = 'This token does not allow that.'): Refused {
  return refuse(403, { code: 'not-allowed', message });
}

export function sendProblem(response: Response, { status, problem }: Refused): void {
  if (problem.retryAfterSeconds !== undefined) response.set('Retry-After', String(problem.retryAfterSeconds));
  response.status(status).set('Cache-Control', 'no-store').json(problem);
}

function badBody(error: z.ZodError): Problem {
  const [issue] = error.issues;
  const where = issue === undefined || issue.path.length === 0 ? 'the body' : issue.path.join('.');
  const more = error.issues.length > 1 ? ` (and ${error.issues.length - 1} more)` : '';
  return {
    code: 'bad-request',
    message: `The request does not fit: ${where}: ${issue?.message ?? 'unknown'}${more}`.slice(0, 500),
    next: 'Build the runtime again from the same version as the service: rekindle runtime build',
  };
}
