import type { FolderLock } from './folder_lock.js';

/** A lock for several users in this process: the first takes it, the last gives it back. */
export class SharedLock {
    private users = 0;
    private held: FolderLock | null = null;
    private taking: Promise<void> | null = null;

    constructor(private readonly take: () => Promise<FolderLock>) {}

    /**
     * Counts this user from the call on. Each call that resolves needs a `release`, and one only.
     *
     * @throws what `take` throws.
     */
    async acquire(): Promise<void> {
        this.users++;
        const taking = (this.taking ??= this.hold());
        try {
            await taking;
        } catch (error) {
            if (this.taking === taking) this.taking = null;
            this.users--;
            throw error;
        }
    }

    private async hold(): Promise<void> {
        this.held = await this.take();
    }

    release(): void {
        if (--this.users > 0) return;
        this.held?.release();
        this.held = null;
        this.taking = null;
    }
}
