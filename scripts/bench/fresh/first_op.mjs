// From nothing to the first result of the installed package.
import { ones } from 'nativegrad';

process.stdout.write(`${ones([16]).add(1).toArray()[0]}\n`);
