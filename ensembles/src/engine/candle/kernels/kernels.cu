/* What a step of a stack of networks needs beside matrix products, for one thread an element or a column.
 *
 * Compiled for the GPU when it is opened, and by the host's C compiler in tests: plain C, without shared memory.
 * All kernels take the same arguments, and leave alone those that they have no use for. Tensors are f32, of shape
 * (models, rows, width) unless it is said otherwise; "parts" are sums over PART rows each, added up by sum_rows. */

#ifdef __cplusplus
#define KERNEL(name) extern "C" __global__ void name(ARGUMENTS)
#else
#define KERNEL(name) __global__ void name(ARGUMENTS)
#endif

#define ARGUMENTS                                                                                                     \
    float *out, const float *a, const float *b, const float *c, const float *d, const unsigned *keys, unsigned models, \
        unsigned rows, unsigned width, unsigned step, unsigned layer, float x, float y

#define PART 32u
#define PARTS ((rows + PART - 1u) / PART)
#define COMBINATOR 10u

/* The thread's number; those past the end have nothing to do. */
#define THREAD(count)                                     \
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x;   \
    if (i >= (count))                                     \
        return;

/* An element: its unit and its model. */
#define ELEMENT                        \
    THREAD(models *rows *width)        \
    unsigned unit = i % width;         \
    unsigned model = i / width / rows;

/* One part of a column: its first row's element, and how many rows. */
#define COLUMN_PART                                                    \
    THREAD(models *PARTS *width)                                       \
    unsigned unit = i % width;                                         \
    unsigned part = i / width % PARTS;                                 \
    unsigned model = i / width / PARTS;                                \
    unsigned count = rows - part * PART < PART ? rows - part * PART : PART; \
    unsigned first = (model * rows + part * PART) * width + unit;

/* Place of row `row` of `n` rows in a tensor (models, n, width), for a unit's column. */
#define ROW(n, row) ((model * (n) + (row)) * width + unit)

/* Philox4x32-10 (Salmon et al., 2011). */
__device__ void philox(unsigned *x, unsigned key0, unsigned key1)
{
    for (int round = 0; round < 10; round++) {
        unsigned long long p = (unsigned long long)x[0] * 0xd2511f53u;
        unsigned long long q = (unsigned long long)x[2] * 0xcd9e8d57u;
        x[0] = (unsigned)(q >> 32) ^ x[1] ^ key0;
        x[2] = (unsigned)(p >> 32) ^ x[3] ^ key1;
        x[1] = (unsigned)q;
        x[3] = (unsigned)p;
        key0 += 0x9e3779b9u;
        key1 += 0xbb67ae85u;
    }
}

/* Two normal numbers from 64 random bits (Box and Muller, 1958). */
__device__ void normal_pair(unsigned length, unsigned direction, float *pair)
{
    const float unit = 1.0f / 16777216.0f;
    float radius = sqrtf(-2.0f * logf(((float)(length >> 8) + 0.5f) * unit));
    float angle = (((float)((direction >> 6) & 0xffffffu) + 0.5f) * unit - 0.5f) * 1.57079632679f;
    float cosine = cosf(angle), sine = sinf(angle);
    if ((direction >> 30) & 1u)
        radius = -radius;
    pair[0] = radius * (direction >> 31 ? sine : cosine);
    pair[1] = radius * (direction >> 31 ? cosine : sine);
}

/* out = a + x * noise. keys: (models, 2). A thread makes the four numbers of one counter. */
KERNEL(add_noise)
{
    unsigned counters = (width + 63u) / 64u * 16u;
    THREAD(models *rows *counters)
    unsigned counter = i % counters, row = i / counters % rows, model = i / counters / rows;
    unsigned words[4] = {counter, row, step, layer};
    float numbers[4];
    philox(words, keys[2u * model], keys[2u * model + 1u]);
    normal_pair(words[0], words[1], numbers);
    normal_pair(words[2], words[3], numbers + 2);
    for (unsigned number = 0; number < 4u; number++) {
        unsigned unit = counter / 16u * 64u + number * 16u + counter % 16u;
        if (unit < width) {
            unsigned place = (model * rows + row) * width + unit;
            out[place] = a[place] + x * numbers[number];
        }
    }
}

/* out: (models, width), x times the sum over rows. */
KERNEL(sum_rows)
{
    THREAD(models *width)
    unsigned unit = i % width, model = i / width;
    float sum = 0.0f;
    for (unsigned row = 0; row < rows; row++)
        sum += a[ROW(rows, row)];
    out[i] = x * sum;
}

/* out: (models, parts, width), sums of a. */
KERNEL(column_parts)
{
    COLUMN_PART
    float sum = 0.0f;
    for (unsigned row = 0; row < count; row++)
        sum += a[first + row * width];
    out[i] = sum;
}

/* out: (models, parts, 2, width), mean of a part and squares about it. */
KERNEL(statistics_parts)
{
    COLUMN_PART
    float mean = 0.0f, squares = 0.0f;
    for (unsigned row = 0; row < count; row++)
        mean += a[first + row * width];
    mean /= (float)count;
    for (unsigned row = 0; row < count; row++) {
        float difference = a[first + row * width] - mean;
        squares += difference * difference;
    }
    out[(model * PARTS + part) * 2u * width + unit] = mean;
    out[((model * PARTS + part) * 2u + 1u) * width + unit] = squares;
}

/* out: (models, 2, width), mean and 1 / standard deviation of columns, from their parts (Chan et al., 1979); x is added to
 * variances. */
KERNEL(statistics)
{
    THREAD(models *width)
    unsigned unit = i % width, model = i / width;
    float mean = 0.0f, squares = 0.0f;
    for (unsigned part = 0; part < PARTS; part++) {
        unsigned count = rows - part * PART < PART ? rows - part * PART : PART;
        mean += (float)count * a[ROW(PARTS * 2u, 2u * part)];
    }
    mean /= (float)rows;
    for (unsigned part = 0; part < PARTS; part++) {
        unsigned count = rows - part * PART < PART ? rows - part * PART : PART;
        float difference = a[ROW(PARTS * 2u, 2u * part)] - mean;
        squares += a[ROW(PARTS * 2u, 2u * part + 1u)] + (float)count * difference * difference;
    }
    out[ROW(2u, 0u)] = mean;
    out[ROW(2u, 1u)] = 1.0f / sqrtf(squares / (float)rows + x);
}

/* out = (a - mean) / standard deviation. b: (models, 2, width), of `statistics`. */
KERNEL(normalise)
{
    ELEMENT
    out[i] = (a[i] - b[ROW(2u, 0u)]) * b[ROW(2u, 1u)];
}

/* out: (models, parts, 2, width), sums of g and of g y. a: y, the normalised values; b: g, their gradient. */
KERNEL(normalise_back_parts)
{
    COLUMN_PART
    float sum = 0.0f, product = 0.0f;
    for (unsigned row = 0; row < count; row++) {
        float g = b[first + row * width];
        sum += g;
        product += g * a[first + row * width];
    }
    out[(model * PARTS + part) * 2u * width + unit] = sum;
    out[((model * PARTS + part) * 2u + 1u) * width + unit] = product;
}

/* out = (g - mean(g) - y mean(g y)) / standard deviation. a: y; b: g; c: both means, (models, 2, width); d: statistics. */
KERNEL(normalise_back)
{
    ELEMENT
    out[i] = (b[i] - c[ROW(2u, 0u)] - a[i] * c[ROW(2u, 1u)]) * d[ROW(2u, 1u)];
}

/* out = max(0, a + b). b: (models, 1, width). NaN stays. */
KERNEL(shift_relu)
{
    ELEMENT
    float shifted = a[i] + b[ROW(1u, 0u)];
    out[i] = shifted < 0.0f ? 0.0f : shifted;
}

/* out: gradient of the rectifier's argument. a: its result; b: the result's gradient. */
KERNEL(shift_relu_back)
{
    THREAD(models *rows *width)
    out[i] = a[i] > 0.0f ? b[i] : 0.0f;
}

/* What the combinator of one unit makes of u: mu and v, their slopes, and the sigmoids in them. */
struct combined {
    float mu, v, slope_mu, slope_v, sigmoid_mu, sigmoid_v;
};

/* parameters: those of the unit, width apart. */
__device__ struct combined combine_one(const float *parameters, unsigned width, float u)
{
    struct combined made;
    const float *p = parameters;
    made.sigmoid_mu = 1.0f / (1.0f + expf(-(p[width] * u + p[2u * width])));
    made.sigmoid_v = 1.0f / (1.0f + expf(-(p[6u * width] * u + p[7u * width])));
    made.mu = p[0] * made.sigmoid_mu + p[3u * width] * u + p[4u * width];
    made.v = p[5u * width] * made.sigmoid_v + p[8u * width] * u + p[9u * width];
    made.slope_mu = p[0] * made.sigmoid_mu * (1.0f - made.sigmoid_mu);
    made.slope_v = p[5u * width] * made.sigmoid_v * (1.0f - made.sigmoid_v);
    return made;
}

/* out = (z - mu(u)) v(u) + mu(u). a: z; b: u; c: parameters, (models, 10, width). */
KERNEL(combine)
{
    ELEMENT
    struct combined made = combine_one(c + ROW(COMBINATOR, 0u), width, b[i]);
    out[i] = (a[i] - made.mu) * made.v + made.mu;
}

/* out: (2, models, rows, width), gradients of z and of u. a: z; b: u; c: parameters; d: gradient of the guess. */
KERNEL(combine_back)
{
    ELEMENT
    const float *p = c + ROW(COMBINATOR, 0u);
    struct combined made = combine_one(p, width, b[i]);
    float g_mu = d[i] * (1.0f - made.v), g_v = d[i] * (a[i] - made.mu);
    out[i] = d[i] * made.v;
    out[i + models * rows * width] = g_mu * (made.slope_mu * p[width] + p[3u * width])
                                     + g_v * (made.slope_v * p[6u * width] + p[8u * width]);
}

/* out: (models, parts, 10, width), sums of the parameters' gradients. Inputs as in combine_back. */
KERNEL(combine_back_parts)
{
    COLUMN_PART
    float sums[COMBINATOR];
    for (unsigned index = 0; index < COMBINATOR; index++)
        sums[index] = 0.0f;
    for (unsigned row = 0; row < count; row++) {
        unsigned place = first + row * width;
        float u = b[place];
        struct combined made = combine_one(c + ROW(COMBINATOR, 0u), width, u);
        float g_mu = d[place] * (1.0f - made.v), g_v = d[place] * (a[place] - made.mu);
        sums[0] += g_mu * made.sigmoid_mu;
        sums[1] += g_mu * made.slope_mu * u;
        sums[2] += g_mu * made.slope_mu;
        sums[3] += g_mu * u;
        sums[4] += g_mu;
        sums[5] += g_v * made.sigmoid_v;
        sums[6] += g_v * made.slope_v * u;
        sums[7] += g_v * made.slope_v;
        sums[8] += g_v * u;
        sums[9] += g_v;
    }
    for (unsigned index = 0; index < COMBINATOR; index++)
        out[((model * PARTS + part) * COMBINATOR + index) * width + unit] = sums[index];
}

/* out: (models, parts, width), sums of squared errors. a: clean; b: guess; c: statistics of the clean layer, or none. */
KERNEL(denoising_parts)
{
    COLUMN_PART
    float mean = c ? c[ROW(2u, 0u)] : 0.0f, inverse_std = c ? c[ROW(2u, 1u)] : 1.0f;
    float sum = 0.0f;
    for (unsigned row = 0; row < count; row++) {
        unsigned place = first + row * width;
        float error = a[place] - (b[place] - mean) * inverse_std;
        sum += error * error;
    }
    out[i] = sum;
}

/* out: (2, models, rows, width), gradients of clean and of guess. d: gradient of the sums, (models, parts, width); the rest
 * as in denoising_parts. */
KERNEL(denoising_back)
{
    ELEMENT
    float mean = c ? c[ROW(2u, 0u)] : 0.0f, inverse_std = c ? c[ROW(2u, 1u)] : 1.0f;
    float gradient = d[ROW(PARTS, i / width % rows / PART)];
    float slope = 2.0f * gradient * (a[i] - (b[i] - mean) * inverse_std);
    out[i] = slope;
    out[i + models * rows * width] = -slope * inverse_std;
}

/* A row of `width` values, and the logarithm of the sum of their exponentials. */
#define LOGITS(tensor) ((tensor) + i * width)

__device__ float log_sum_exp(const float *row, unsigned width)
{
    float largest = row[0], sum = 0.0f;
    for (unsigned unit = 1; unit < width; unit++)
        largest = row[unit] > largest ? row[unit] : largest;
    for (unsigned unit = 0; unit < width; unit++)
        sum += expf(row[unit] - largest);
    return largest + logf(sum);
}

/* out: probabilities. a: logits. A thread a row. */
KERNEL(softmax)
{
    THREAD(models *rows)
    float whole = log_sum_exp(LOGITS(a), width);
    for (unsigned unit = 0; unit < width; unit++)
        LOGITS(out)[unit] = expf(LOGITS(a)[unit] - whole);
}

/* out: gradient of logits. a: probabilities; b: their gradient. A thread a row. */
KERNEL(softmax_back)
{
    THREAD(models *rows)
    float mean = 0.0f;
    for (unsigned unit = 0; unit < width; unit++)
        mean += LOGITS(a)[unit] * LOGITS(b)[unit];
    for (unsigned unit = 0; unit < width; unit++)
        LOGITS(out)[unit] = LOGITS(a)[unit] * (LOGITS(b)[unit] - mean);
}

/* Losses of rows, of which a model's is the mean: out has every row's slopes for its logits, (models, rows, width), and after
 * them every row's loss, (models, rows). A thread a row. */
#define LOSS out[models * rows * width + i]

/* H(p) + x (KL(mean p || prior) - ln width), as the sum of p (x (log mean p - c) - log p). a: logits; b: mean p, (models, 1,
 * width); c: log (width prior), (models, 1, width). */
KERNEL(information_rows)
{
    THREAD(models *rows)
    unsigned model = i / rows;
    float whole = log_sum_exp(LOGITS(a), width), loss = 0.0f;
    for (int again = 0; again < 2; again++)
        for (unsigned unit = 0; unit < width; unit++) {
            float mean = b[ROW(1u, 0u)], log_p = LOGITS(a)[unit] - whole;
            float cost = x * (logf(mean > 1e-37f ? mean : 1e-37f) - c[ROW(1u, 0u)]) - log_p;
            if (again)
                LOGITS(out)[unit] = expf(log_p) * (cost - loss);
            else
                loss += expf(log_p) * cost;
        }
    LOSS = loss;
}

/* KL(p || q). a: logits of p, which is held constant; b: logits of q. */
KERNEL(consistency_rows)
{
    THREAD(models *rows)
    float whole_p = log_sum_exp(LOGITS(a), width), whole_q = log_sum_exp(LOGITS(b), width), loss = 0.0f;
    for (unsigned unit = 0; unit < width; unit++) {
        float log_p = LOGITS(a)[unit] - whole_p, log_q = LOGITS(b)[unit] - whole_q;
        loss += expf(log_p) * (log_p - log_q);
        LOGITS(out)[unit] = expf(log_q) - expf(log_p);
    }
    LOSS = loss;
}

/* Cross-entropy. a: logits; keys: labels, (models, rows), below width; NaN if not. */
KERNEL(label_rows)
{
    THREAD(models *rows)
    float whole = log_sum_exp(LOGITS(a), width);
    for (unsigned unit = 0; unit < width; unit++)
        LOGITS(out)[unit] = expf(LOGITS(a)[unit] - whole) - (unit == keys[i] ? 1.0f : 0.0f);
    LOSS = keys[i] < width ? whole - LOGITS(a)[keys[i]] : logf(-1.0f);
}

/* out: (2, models, rows, width), Adam's running averages of gradients (decay x) and of their squares (decay y), brought
 * up to date. a: the gradient. */
KERNEL(adam_average)
{
    THREAD(models *rows *width)
    float *second = out + models * rows * width;
    out[i] = x * out[i] + (1.0f - x) * a[i];
    second[i] = y * second[i] + (1.0f - y) * a[i] * a[i];
}

/* out: a parameter, moved. a: its averages, (2, models, rows, width); x: rate, corrected; y: correction of squares. */
KERNEL(adam_update)
{
    THREAD(models *rows *width)
    out[i] -= x * a[i] / (sqrtf(a[i + models * rows * width] * y) + 1e-8f);
}
