import { existsSync } from 'node:fs';

import { chromium } from 'playwright-core';
import type { Browser } from 'playwright-core';

const places = ['/usr/bin/chromium', '/usr/bin/google-chrome', '/usr/bin/chromium-browser'];

/** A headless Chromium of this machine: NATIVEGRAD_TEST_CHROMIUM, or where Debian and Chrome's own package put it. */
export function startBrowser(): Promise<Browser> {
    const named = process.env.NATIVEGRAD_TEST_CHROMIUM;
    const executablePath = named ?? places.find((place) => existsSync(place));
    if (executablePath === undefined)
        throw new Error(
            'pages are checked in Chromium: apt-get install chromium, or set NATIVEGRAD_TEST_CHROMIUM',
        );
    // Without its sandbox it runs as root, as in containers.
    return chromium.launch({ executablePath, args: ['--no-sandbox'] });
}
