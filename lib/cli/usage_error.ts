/** A mistake of the user's that one line can explain; the command ends with exit code 2. */
export class UsageError extends Error {
    override readonly name = 'UsageError';
}
