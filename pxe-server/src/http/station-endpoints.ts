import type { Router } from 'express';
import { errorChain } from '#base/errors.ts';
import { enrolReplySchema, enrolRequestSchema, type ImageSummary, imageListSchema } from '#contract/api.ts';
import { stationNameSchema } from '#images/format/image-manifest.ts';
import { listImages } from '#images/stores/image-folder.ts';
import { summariseImage } from '../jobs/summarise-image.ts';
import { bindToStation } from '../jobs/token.ts';
import type { ServiceContext } from '../serve/service-context.ts';
import { enrolStation } from '../stations/enrol-station.ts';
import { currentEnrolment } from '../stations/enrolment-window.ts';
import { recogniseMachine } from '../stations/recognise-machine.ts';
import { findStation } from '../stations/station-registry.ts';
import { addEndpoint, nothing, ok, refuse } from './endpoint.ts';
import { refusePermission, refuseStation } from './permission.ts';

export function addStationEndpoints(router: Router, context: ServiceContext): void {
  const { state, journal, log } = context;

  addEndpoint(router, state, {
    method: 'get',
    path: '/stations/:station/images',
    grant: ['session'],
    body: nothing,
    reply: imageListSchema,
    async handle({ grant, parameters }) {
      const station = parameters['station'] ?? '';
      const refused = refuseStation(grant, station) ?? refusePermission(state, grant, 'see-images');
      if (refused !== undefined) return refused;
      const images = await listImages(context.store, stationNameSchema.parse(station));
      const summaries: ImageSummary[] = [];
      for (const name of images) {
        const summary = await summariseImage(context, name);
        if (summary !== undefined) summaries.push(summary);
      }
      return ok({ images: summaries });
    },
  });

  addEndpoint(router, state, {
    method: 'post',
    path: '/stations',
    grant: ['session'],
    body: enrolRequestSchema,
    reply: enrolReplySchema,
    async handle({ grant, token, body: { name, passport }, machine }) {
      const refused = refusePermission(state, grant, 'enrol');
      if (refused !== undefined) return refused;
      const window = currentEnrolment(state);
      if (window === undefined) {
        return refuse(403, {
          code: 'not-enrolling',
          message: 'The enrolment window is closed.',
          next: 'On the server: rekindle enrol open --for 15m',
        });
      }
      const known = recogniseMachine(state, passport);
      if (known !== undefined) {
        // The reply to the first request may have been lost.
        if (known.name === name && grant.station === name) return ok({ station: known });
        return refuse(409, {
          code: 'already-enrolled',
          message: `This machine is station ${known.name} already.`,
          next: 'Start it again and log on; it will be recognised.',
        });
      }
      if (findStation(state, name) !== undefined) {
        return refuse(409, {
          code: 'name-taken',
          message: `There is a station ${name} already, with other hardware.`,
          next: 'Choose another name.',
        });
      }
      try {
        await enrolStation(context, { name, passport, by: grant.technician });
      } catch (error) {
        log.error({ station: name, reasons: errorChain(error) }, 'enrolment failed');
        return refuse(500, {
          code: 'enrolment-failed',
          message: `Enrolling ${name} failed: ${errorChain(error).join(': ')}`.slice(0, 1000),
          next: 'Put that right on the server, then try again.',
        });
      }
      bindToStation(state, token, name);
      journal.record({
        machine,
        stage: 'runtime',
        sentence: `is enrolled as ${name} by ${grant.technician}`,
      });
      return ok({ station: { name, recognisedBy: ['enrolled now'] } });
    },
  });
}
