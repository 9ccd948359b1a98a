// Finds CMake, a C++ compiler and a build tool, and names the package to install where one is missing.
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const needs = [
    {
        what: 'CMake',
        commands: ['cmake'],
        packages: { debian: 'cmake', fedora: 'cmake', macos: 'brew install cmake' },
    },
    {
        what: 'a C++17 compiler',
        commands: [process.env.CXX, 'c++', 'g++', 'clang++'],
        packages: { debian: 'g++', fedora: 'gcc-c++', macos: 'xcode-select --install' },
    },
    {
        what: 'a build tool',
        commands: ['ninja', 'make'],
        packages: { debian: 'ninja-build', fedora: 'ninja-build', macos: 'brew install ninja' },
    },
];

function isExecutable(path) {
    try {
        accessSync(path, constants.X_OK);
        return statSync(path).isFile();
    } catch {
        return false;
    }
}

/** Path of the first of `commands` that can be run, or undefined. */
export function findCommand(commands) {
    const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
    for (const command of commands) {
        const candidates = command.includes('/') ? [command] : folders.map((folder) => join(folder, command));
        const found = candidates.find(isExecutable);
        if (found) return found;
    }
    return undefined;
}

/** Why the addon cannot be built on this machine, as lines to print; empty when nothing is missing. */
export function missingTools() {
    const lines = [];
    for (const { what, commands, packages } of needs) {
        // CXX may carry a launcher and flags ("ccache g++"): its first word decides.
        const names = commands.filter(Boolean).map((command) => command.trim().split(/\s+/)[0]);
        if (findCommand(names)) continue;
        lines.push(
            `nativegrad: ${what} is needed to build the native addon; none found on PATH (looked for ${names.join(', ')}).`,
            `  Debian, Ubuntu:  sudo apt-get install ${packages.debian}`,
            `  Fedora, RHEL:    sudo dnf install ${packages.fedora}`,
            `  macOS:           ${packages.macos}`,
        );
    }
    return lines;
}
