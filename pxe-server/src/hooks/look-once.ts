/**
 * One look a run: precondition, plan and verify of a hook's phase get the same context, and so the same answer. What
 * is asked a second time may have changed meanwhile, and the record would contradict itself.
 */
export function lookOnce<Context extends object, Seen>(
  look: (context: Context) => Promise<Seen>,
): (context: Context) => Promise<Seen> {
  const seen = new WeakMap<Context, Promise<Seen>>();
  return (context) => {
    const found = seen.get(context) ?? look(context);
    seen.set(context, found);
    return found;
  };
}
