import express from 'express';

/** A plain web server over a store's folder, to be killed: `node store-server.ts <folder> <address> <port>`. */
const [folder = '', address = '', port = ''] = process.argv.slice(2);
const app = express();
app.use(express.static(folder, { dotfiles: 'allow' }));
app.listen(Number(port), address, () => console.log('listening'));
