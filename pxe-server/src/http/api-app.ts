import express, { type ErrorRequestHandler, type Express } from 'express';
import { errorChain } from '#base/errors.ts';
import { apiBase } from '#contract/api.ts';
import { createChunksOfImages } from '../jobs/chunks-of-images.ts';
import { noteReached } from '../journal/note-reached.ts';
import type { ServiceContext } from '../serve/service-context.ts';
import { addCaptureEndpoints } from './capture-endpoints.ts';
import { refuse, sendProblem } from './endpoint.ts';
import { addHookEndpoints } from './hook-endpoints.ts';
import { addJobEndpoints } from './job-endpoints.ts';
import { addLogOnEndpoints } from './log-on-endpoints.ts';
import { addStationEndpoints } from './station-endpoints.ts';
import { addStoreRoutes } from './store-routes.ts';
import { addSystemStateRoute } from './system-state-route.ts';

/** `/api/v1` (contract/api.ts). Whatever is asked and whatever breaks, the answer is a reply or a problem. */
export function createApiApp(context: ServiceContext): Express {
  const app = express().disable('x-powered-by').disable('etag');
  const router = express.Router({ caseSensitive: true, strict: true });

  router.get('/health', (request, response) => {
    noteReached(context.journal, request.socket.remoteAddress);
    response.status(204).end();
  });
  addLogOnEndpoints(router, context);
  addStationEndpoints(router, context);
  addJobEndpoints(router, context);
  addHookEndpoints(router, context);
  addCaptureEndpoints(router, context);
  addStoreRoutes(router, context, createChunksOfImages(context.store, context.signingKey));
  addSystemStateRoute(router, context);

  app.use(apiBase, router);
  app.use((request, response) => {
    const message = `There is nothing at ${request.method} ${request.path}.`.slice(0, 300);
    sendProblem(response, refuse(404, { code: 'not-found', message }));
  });
  app.use(problemOfError(context));
  return app;
}

/** Errors of body parsing carry their status; anything else is ours, goes to the log, and tells nothing. */
function problemOfError({ log }: ServiceContext): ErrorRequestHandler {
  return (error: unknown, request, response, _next) => {
    const status = statusOf(error);
    if (status >= 500) {
      log.error({ method: request.method, path: request.path, reasons: errorChain(error) }, 'request failed');
    }
    if (response.headersSent) return void response.destroy();
    const message =
      status >= 500
        ? 'The service failed; its log says why.'
        : `The request cannot be read: ${errorChain(error)[0] ?? 'unknown'}`.slice(0, 300);
    sendProblem(
      response,
      refuse(status, { code: status >= 500 ? 'service-failed' : 'bad-request', message }),
    );
  };
}

function statusOf(error: unknown): number {
  const status = error instanceof Error && 'status' in error ? Number(error.status) : Number.NaN;
  return status >= 400 && status < 500 ? status : 500;
}
