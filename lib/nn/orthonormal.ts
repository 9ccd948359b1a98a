/** Subtracts from column j of a matrix [n, k] its parts along the columns before it. */
function removeProjections(matrix: Float64Array, n: number, k: number, j: number): void {
    for (let i = 0; i < j; i++) {
        let product = 0;
        for (let row = 0; row < n; row++) product += (matrix[row * k + i] ?? 0) * (matrix[row * k + j] ?? 0);
        for (let row = 0; row < n; row++)
            matrix[row * k + j] = (matrix[row * k + j] ?? 0) - product * (matrix[row * k + i] ?? 0);
    }
}

/**
 * Makes the columns of a row-major matrix [n, k], n >= k, orthonormal, in place: Gram and Schmidt, each column twice, which
 * is enough for full accuracy (Giraud et al. 2005). From normal numbers it gives every orthonormal matrix with equal
 * likelihood, since the triangular factor's diagonal is positive (Mezzadri 2007).
 */
export function orthonormalColumns(matrix: Float64Array, n: number, k: number): void {
    for (let j = 0; j < k; j++) {
        removeProjections(matrix, n, k, j);
        removeProjections(matrix, n, k, j);
        let square = 0;
        for (let row = 0; row < n; row++) square += (matrix[row * k + j] ?? 0) ** 2;
        const scale = 1 / Math.sqrt(square);
        for (let row = 0; row < n; row++) matrix[row * k + j] = (matrix[row * k + j] ?? 0) * scale;
    }
}
