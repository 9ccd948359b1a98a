#!/usr/bin/env node
import { runProcess } from './run_process.js';

await runProcess(process.argv.slice(2));
