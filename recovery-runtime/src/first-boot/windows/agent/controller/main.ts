import { openSubscription } from './directory.ts';
import { controllerStep } from './step.ts';

/** First-boot step of a restored domain controller: cscript //NoLogo domain-controller.js */
var outcome = controllerStep(openSubscription());
if (outcome.answer !== '') WScript.Echo(outcome.answer);
WScript.Quit(outcome.code);
