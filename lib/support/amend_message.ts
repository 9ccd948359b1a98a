/** Changes the message of an error; its stack, which holds the message as it was when the error was made, follows. */
export function amendMessage(error: Error, message: string): void {
    const before = error.message;
    error.message = message;
    if (error.stack) error.stack = error.stack.replace(before, () => message);
}
