import type { Router } from 'express';
import { armedReplySchema, armedRequestSchema, logOnReplySchema, logOnRequestSchema } from '#contract/api.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { mintToken } from '../jobs/token.ts';
import type { ServiceContext } from '../serve/service-context.ts';
import { findArmed } from '../stations/arming.ts';
import { currentEnrolment } from '../stations/enrolment-window.ts';
import { meetMachine } from '../stations/recognise-machine.ts';
import { logOn } from '../users/log-on.ts';
import { addOpenEndpoint, ok, refuse } from './endpoint.ts';

export function addLogOnEndpoints(router: Router, context: ServiceContext): void {
  const { state, configuration, journal, log } = context;
  const record = (machine: string, passport: HardwarePassport, sentence: string) => {
    log.info({ machine, system: passport.system.uuid }, sentence);
    journal.record({ machine, stage: 'runtime', sentence });
  };

  addOpenEndpoint(router, {
    method: 'post',
    path: '/log-on',
    body: logOnRequestSchema,
    reply: logOnReplySchema,
    async handle({ body: { technician, password, passport }, machine }) {
      const result = await logOn(state, { technician, password, machine }, configuration.logOn);
      if (result.kind === 'locked') {
        const minutes = Math.ceil(result.retryAfterSeconds / 60);
        record(machine, passport, 'a log-on is refused: too many wrong passwords');
        return refuse(429, {
          code: 'locked',
          message: 'There were too many wrong passwords for this name or at this machine.',
          next: `Wait ${minutes === 1 ? 'a minute' : `${minutes} minutes`}, then try again.`,
          retryAfterSeconds: result.retryAfterSeconds,
          triesLeft: 0,
        });
      }
      if (result.kind === 'wrong-password') {
        record(machine, passport, 'a log-on is refused: wrong name or password');
        return refuse(401, {
          code: 'wrong-password',
          message: 'The name or the password is wrong.',
          next: `Try again; ${result.triesLeft === 1 ? 'one try is' : `${result.triesLeft} tries are`} left.`,
          triesLeft: result.triesLeft,
        });
      }
      const { station, oddities } = meetMachine(state, passport);
      record(
        machine,
        passport,
        `${result.user.name} logs on at ${station?.name ?? 'a machine that is not enrolled'}`,
      );
      const token = mintToken(state, {
        kind: 'session',
        technician: result.user.name,
        how: 'technician',
        station: station?.name ?? null,
        job: null,
        expiresAt: Date.now() + configuration.tokens.sessionMinutes * 60_000,
      });
      return ok({
        token,
        technician: result.user.name,
        station: station ?? null,
        oddities: [...oddities],
        enrolmentOpenUntil: currentEnrolment(state)?.openUntil.toISOString() ?? null,
      });
    },
  });

  addOpenEndpoint(router, {
    method: 'post',
    path: '/armed',
    body: armedRequestSchema,
    reply: armedReplySchema,
    async handle({ body: { passport }, machine }) {
      const { station } = meetMachine(state, passport);
      const armed = station === undefined ? undefined : findArmed(state, station.name);
      if (station === undefined || armed === undefined) return ok({ armed: null });
      record(machine, passport, `${station.name} is armed by ${armed.by} to restore ${armed.image}`);
      const expiresAt = Math.min(
        armed.until.getTime(),
        Date.now() + configuration.tokens.sessionMinutes * 60_000,
      );
      const grant = { kind: 'session', technician: armed.by, how: 'armed', job: null } as const;
      const token = mintToken(state, { ...grant, station: station.name, expiresAt });
      const { image, by, until, acceptsReplaced } = armed;
      return ok({ armed: { token, station, image, until: until.toISOString(), by, acceptsReplaced } });
    },
  });
}
