/* One training step of a small network in one call, with the images in a vector's lanes.

   A batch is cut into blocks of LANES images, and every array of a block has its images innermost:
   (channels, rows, columns, LANES). So a vector holds the same place of all the block's images:
   no lane is wasted, however few channels there are, and borders, ReLU and pooling need no masks.

   A network is a list of layers. A layer is a convolution with what follows it (batch
   normalization, ReLU, 2x2 max-pooling, each or none), a mean over all places, or a matrix with
   or without ReLU. A block goes through all layers and back on one thread, in the memory of that
   thread. Only batch normalization needs all blocks at once: it parts the step into phases.

   Blocks are dealt to groups, each with sums of gradients of its own, and these are added in a
   fixed order. So the numbers do not depend on how many threads there are. */

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Lanes of a vector, and channels whose sums its registers hold at four places of an image. */
#if defined(__AVX512F__)
#define LANES 16
#define TILE 5
#elif defined(__AVX__)
#define LANES 8
#define TILE 3
#else
#define LANES 4
#define TILE 5
#endif
#define PLACES 4
#define GROUPS 16
#define INLINE static inline __attribute__((always_inline))

typedef float Vector __attribute__((vector_size(4 * LANES)));
typedef int32_t Mask __attribute__((vector_size(4 * LANES)));
typedef uint32_t Bits __attribute__((vector_size(4 * LANES)));
typedef int8_t Bytes __attribute__((vector_size(LANES)));

enum { CONVOLUTION, MEAN, MATRIX };
enum { WEIGHT, BIAS, GAMMA, BETA, RUNNING_MEAN, RUNNING_VARIANCE, VALUES };

/* What Python says of a layer. */
typedef struct {
  int32_t kind, inputs, outputs; /* channels, or features */
  int32_t height, width;         /* of its input; 1 for a matrix */
  int32_t kernel, stride, padding;
  int32_t bias, norm, relu, pool;
  float epsilon, momentum; /* of the normalization */
} Shape;

typedef struct {
  Shape is;
  int rows, columns;           /* of its output before pooling */
  int out_rows, out_columns;   /* and after it */
  int taps;                    /* inputs of an output: inputs x kernel x kernel */
  long x, x_row, x_channel;    /* input with its border: where in a block, and strides in vectors */
  long z;                      /* output before normalization */
  long d, d_row, d_channel;    /* gradient by the output, spread by the stride, with a border */
  int d_border, d_skip;        /* zeros before it, and places of it that no input saw */
  long winner;                 /* which of four places was pooled; -1 where ReLU let nothing through */
  long weight, bias;           /* where a group's sums of its gradients begin */
  long packed, flipped;        /* where its weights lie in the order that tiles read them */
  float *shift, *scale;        /* normalization: (outputs) z * scale + shift */
  double *mean, *deviation;    /* (outputs) of the batch */
  double *sums;                /* (blocks, outputs, 2) of a block, for the mean of all */
  double *means;               /* (outputs, 2) of the gradient, and of its product with z */
} Layer;

typedef struct Team Team;

/* One model, and the step of it that is computed. */
typedef struct {
  Layer *layers;
  int count; /* of layers */
  long parameters, packed_size, block_size, scratch, logits;
  float *packed, *sums; /* (groups, parameters) */
  double *losses;       /* (batch) */
  long *ends;           /* of the arrays within a block */
  int arrays;
  Team *team;
  char **blocks; /* memory of one block after another, or of one a thread */
  const float *images, *shares;
  const int64_t *labels, *partners;
  float smoothing, *answers;
  float *const *values, *const *gradients;
  int images_count, blocks_count, groups_count, most_groups, training;
  int back, from; /* the phase: see run_block */
} Network;

typedef struct {
  Team *team;
  int index;
  pthread_t thread;
} Worker;

/* Networks of one shape, and the threads that compute them: one network by all threads, which
   share its blocks, or several by a thread each. */
struct Team {
  Network *networks;
  int members, threads;
  int kept; /* blocks that a network's step keeps: all for a normalization, else one */
  char **blocks;
  void (*task)(Team *, int thread);
  atomic_int next; /* network that no thread has taken */
  Worker *workers;
  pthread_mutex_t mutex;
  pthread_cond_t wake;
  atomic_int turn, busy;
  int over;
};

/* ---- vectors ------------------------------------------------------------------------------ */

INLINE Vector all(float value) { return value - (Vector){}; }
INLINE Vector where(Mask mask, Vector a, Vector b) {
  return (Vector)(((Mask)a & mask) | ((Mask)b & ~mask));
}
INLINE Vector only(Mask mask, Vector a) { return (Vector)((Mask)a & mask); }

/* What is above 0; NaN stays NaN, as in torch. */
INLINE Mask passes(Vector a) { return ~(Mask)(a <= 0); }

INLINE float total(Vector a) {
  float parts[LANES];
  memcpy(parts, &a, sizeof a);
  for (int width = LANES / 2; width; width /= 2)
    for (int i = 0; i < width; i++) parts[i] += parts[i + width];
  return parts[0];
}

INLINE Mask first_lanes(int count) {
  Mask mask = {};
  for (int n = 0; n < count; n++) mask[n] = -1;
  return mask;
}

/* e^a for a <= 0 to 2e-7 of it: 2^k e^r with a Taylor series for e^r, |r| <= ln(2) / 2. */
INLINE Vector exponential(Vector a) {
  a = where((Mask)(a < -87), all(-87), a);
  Mask whole = __builtin_convertvector(a * 1.44269504f - 0.5f, Mask); /* rounds towards 0 */
  Vector k = __builtin_convertvector(whole, Vector);
  Vector r = (a - k * 0.693359375f) + k * 2.12194440e-4f; /* ln 2 in two parts */
  Vector sum = all(1.0f / 5040);
  sum = sum * r + 1.0f / 720;
  sum = sum * r + 1.0f / 120;
  sum = sum * r + 1.0f / 24;
  sum = sum * r + 1.0f / 6;
  sum = sum * r + 0.5f;
  sum = sum * r + 1;
  sum = sum * r + 1;
  return sum * (Vector)(((Bits)whole + 127) << 23);
}

/* ---- tiles: the inner loops ---------------------------------------------------------------- */

/* Add to `sums` what a convolution gives for C channels at R x K places. `x` is the first input
   of the first place; `w` has its C weights for every input in turn. */
INLINE void tile(const int C, const int R, const int K, const Vector *x, const float *w,
                 const int inputs, const int kernel, const long channel, const long row,
                 const int stride, Vector *sums) {
  Vector sum[C * R * K];
#pragma GCC unroll 32
  for (int i = 0; i < C * R * K; i++) sum[i] = sums[i];
  for (int i = 0; i < inputs; i++)
    for (int ky = 0; ky < kernel; ky++)
      for (int kx = 0; kx < kernel; kx++, w += C) {
        const Vector *at = x + i * channel + ky * row + kx;
#pragma GCC unroll 8
        for (int p = 0; p < R * K; p++) {
          const Vector input = at[(p / K * row + p % K) * stride];
#pragma GCC unroll 8
          for (int c = 0; c < C; c++) sum[c * R * K + p] += input * w[c];
        }
      }
#pragma GCC unroll 32
  for (int i = 0; i < C * R * K; i++) sums[i] = sum[i];
}

/* Add to `sums` the products of C channels of a gradient with T inputs, over a row of places. */
INLINE void product(const int C, const int T, const Vector *x, const long *tap, const Vector *d,
                    const long channel, const int places, const int stride, Vector *sums) {
  Vector sum[C * T];
#pragma GCC unroll 32
  for (int i = 0; i < C * T; i++) sum[i] = sums[i];
  for (long at = 0; at < (long)places * stride; at += stride)
#pragma GCC unroll 8
    for (int t = 0; t < T; t++) {
      const Vector input = x[tap[t] + at];
#pragma GCC unroll 8
      for (int c = 0; c < C; c++) sum[c * T + t] += input * d[c * channel + at];
    }
#pragma GCC unroll 32
  for (int i = 0; i < C * T; i++) sums[i] = sum[i];
}

/* Both for every number of channels and of places, each unrolled by the compiler. */
typedef void Tile(const Vector *, const float *, int, int, long, long, int, Vector *);
typedef void Product(const Vector *, const long *, const Vector *, long, int, int, Vector *);
#define TILE_OF(C, R, K)                                                                         \
  static void tile_##C##_##R##_##K(const Vector *x, const float *w, int inputs, int kernel,      \
                                   long channel, long row, int stride, Vector *sums) {           \
    tile(C, R, K, x, w, inputs, kernel, channel, row, stride, sums);                             \
  }
#define PRODUCT_OF(C, T)                                                                         \
  static void product_##C##_##T(const Vector *x, const long *tap, const Vector *d, long channel, \
                                int places, int stride, Vector *sums) {                          \
    product(C, T, x, tap, d, channel, places, stride, sums);                                     \
  }
#define OF(C)                                                                                    \
  TILE_OF(C, 1, 1) TILE_OF(C, 1, 2) TILE_OF(C, 1, 4) TILE_OF(C, 2, 2)                            \
  PRODUCT_OF(C, 1) PRODUCT_OF(C, 2) PRODUCT_OF(C, 3) PRODUCT_OF(C, 4)
OF(1) OF(2) OF(3) OF(4) OF(5)
enum { ONE, TWO, FOUR, SQUARE };
#define TILES_OF(C) {tile_##C##_1_1, tile_##C##_1_2, tile_##C##_1_4, tile_##C##_2_2}
#define PRODUCTS_OF(C) {product_##C##_1, product_##C##_2, product_##C##_3, product_##C##_4}
static Tile *const TILES[][4] = {TILES_OF(1), TILES_OF(2), TILES_OF(3), TILES_OF(4), TILES_OF(5)};
static Product *const PRODUCTS[][PLACES] = {PRODUCTS_OF(1), PRODUCTS_OF(2), PRODUCTS_OF(3),
                                            PRODUCTS_OF(4), PRODUCTS_OF(5)};

/* Channels are dealt to tiles evenly: how many tiles there are, and where one begins. */
INLINE int tiles_of(int channels) { return (channels + TILE - 1) / TILE; }
INLINE int begin_of(int tile, int channels) { return tile * channels / tiles_of(channels); }

/* ---- what follows a convolution ------------------------------------------------------------ */

/* Where the output of layer i goes: into the input of the next, inside its border. */
INLINE Vector *output_of(const Network *net, int i, char *block, long *row, long *channel) {
  const Layer *layer = net->layers + i, *next = layer + 1;
  if (i + 1 < net->count && next->is.kind == CONVOLUTION) {
    *row = next->x_row, *channel = next->x_channel;
    return (Vector *)(block + next->x) + next->is.padding * (next->x_row + 1);
  }
  *row = layer->out_columns, *channel = (long)layer->out_rows * layer->out_columns;
  return (Vector *)(block + (i + 1 < net->count ? next->x : net->logits));
}

/* Four neighbours become the largest of them, the first of equals; NaN is larger than all. */
INLINE Vector pool(const Vector *four, Mask *winner) {
  Vector best = four[0];
  *winner = (Mask){};
  for (int p = 1; p < 4; p++) {
    Mask larger = (Mask)(four[p] > best) | (Mask)(four[p] != four[p]);
    best = where(larger, four[p], best);
    *winner = (p & larger) | (*winner & ~larger);
  }
  return best;
}

/* ReLU and pooling of some places in a row (or of a square), written where they belong. */
INLINE void finish(const Layer *layer, char *block, int channel, int y, int x,
                   const Vector *values, int places, Vector *to) {
  if (!layer->is.pool) {
    for (int p = 0; p < places; p++)
      to[p] = layer->is.relu ? only(passes(values[p]), values[p]) : values[p];
    return;
  }
  Mask winner;
  Vector best = pool(values, &winner);
  if (layer->is.relu) {
    winner |= ~passes(best);
    best = only(passes(best), best);
  }
  *to = best;
  Bytes *winners = (Bytes *)(block + layer->winner);
  winners[((long)channel * layer->out_rows + y) * layer->out_columns + x] =
      __builtin_convertvector(winner, Bytes);
}

/* The reverse of `finish`: a gradient by layer i's output at one place goes to where it was. */
INLINE void give_back(const Network *net, int i, char *block, int channel, int y, int x,
                      Vector gradient) {
  const Layer *layer = net->layers + i;
  int stride = layer->is.stride;
  Vector *d = (Vector *)(block + layer->d) + channel * layer->d_channel +
              layer->d_border * (layer->d_row + 1);
  if (layer->is.pool) {
    const Bytes *winners = (Bytes *)(block + layer->winner);
    Mask winner = __builtin_convertvector(
        winners[((long)channel * layer->out_rows + y) * layer->out_columns + x], Mask);
    for (int p = 0; p < 4; p++)
      d[((2 * y + p / 2) * layer->d_row + 2 * x + p % 2) * stride] =
          only((Mask)(winner == p), gradient);
    return;
  }
  if (layer->is.relu) {
    long row, channels;
    const Vector *out = output_of(net, i, block, &row, &channels);
    gradient = only(passes(out[channel * channels + y * row + x]), gradient);
  }
  d[(y * layer->d_row + x) * stride] = gradient;
}

/* ---- convolution --------------------------------------------------------------------------- */

static void convolve(const Network *net, int i, char *block) {
  const Layer *layer = net->layers + i;
  int raw = layer->is.norm && net->training, squares = layer->is.pool && !raw;
  int rows = raw ? layer->rows : layer->out_rows;
  int columns = raw ? layer->columns : layer->out_columns;
  int step = (squares ? 2 : 1) * layer->is.stride, outputs = layer->is.outputs;
  const float *bias = net->training ? net->values[i * VALUES + BIAS] : layer->shift;
  long row, channel;
  Vector *to = output_of(net, i, block, &row, &channel), sums[TILE * PLACES];
  if (raw) to = (Vector *)(block + layer->z), row = columns, channel = (long)rows * columns;
  for (int y = 0; y < rows; y++)
    for (int x = 0, width; x < columns; x += width) {
      width = squares || columns - x < 2 ? 1 : columns - x < 4 ? 2 : 4;
      int places = squares ? 4 : width;
      const Vector *from = (const Vector *)(block + layer->x) + (y * layer->x_row + x) * step;
      const float *w = net->packed + layer->packed;
      for (int t = 0; t < tiles_of(outputs); t++) {
        int first = begin_of(t, outputs), channels = begin_of(t + 1, outputs) - first;
        for (int s = 0; s < channels * places; s++)
          sums[s] = all(bias ? bias[first + s / places] : 0);
        TILES[channels - 1][squares ? SQUARE : width / 2](from, w, layer->is.inputs,
                                                          layer->is.kernel, layer->x_channel,
                                                          layer->x_row, layer->is.stride, sums);
        w += (long)channels * layer->taps;
        for (int c = 0; c < channels; c++) {
          Vector *place = to + (first + c) * channel + y * row + x;
          if (raw)
            memcpy(place, sums + c * places, sizeof(Vector) * places);
          else
            finish(layer, block, first + c, y, x, sums + c * places, places, place);
        }
      }
    }
}

/* A convolution of the gradient with the weights turned round, for the layer before. */
static void convolve_back(const Network *net, int i, char *block) {
  const Layer *layer = net->layers + i;
  int inputs = layer->is.inputs;
  Vector sums[TILE * PLACES];
  for (int y = 0; y < layer->is.height; y++)
    for (int x = 0, width; x < layer->is.width; x += width) {
      width = layer->is.width - x < 2 ? 1 : layer->is.width - x < 4 ? 2 : 4;
      const Vector *from = (const Vector *)(block + layer->d) +
                           (y + layer->d_skip) * layer->d_row + x + layer->d_skip;
      const float *w = net->packed + layer->flipped;
      for (int t = 0; t < tiles_of(inputs); t++) {
        int first = begin_of(t, inputs), channels = begin_of(t + 1, inputs) - first;
        memset(sums, 0, sizeof sums);
        TILES[channels - 1][width / 2](from, w, layer->is.outputs, layer->is.kernel,
                                       layer->d_channel, layer->d_row, 1, sums);
        w += (long)channels * layer->is.outputs * layer->is.kernel * layer->is.kernel;
        for (int c = 0; c < channels; c++)
          for (int p = 0; p < width; p++)
            give_back(net, i - 1, block, first + c, y, x + p, sums[c * width + p]);
      }
    }
}

static void convolution_gradients(const Network *net, int i, char *block, float *group) {
  const Layer *layer = net->layers + i;
  int kernel = layer->is.kernel, outputs = layer->is.outputs, stride = layer->is.stride;
  const Vector *x = (const Vector *)(block + layer->x);
  const Vector *d = (const Vector *)(block + layer->d) + layer->d_border * (layer->d_row + 1);
  Vector *sums = (Vector *)(block + net->scratch), *at;
  long tap[PLACES];
  memset(sums, 0, sizeof(Vector) * outputs * layer->taps);
  for (int y = 0; y < layer->rows; y++) {
    at = sums;
    for (int first_tap = 0, taps; first_tap < layer->taps; first_tap += taps) {
      taps = layer->taps - first_tap < PLACES ? layer->taps - first_tap : PLACES;
      for (int t = 0; t < taps; t++) {
        int place = (first_tap + t) % (kernel * kernel);
        tap[t] = (first_tap + t) / (kernel * kernel) * layer->x_channel +
                 (y * stride + place / kernel) * layer->x_row + place % kernel;
      }
      for (int t = 0; t < tiles_of(outputs); t++) {
        int first = begin_of(t, outputs), channels = begin_of(t + 1, outputs) - first;
        PRODUCTS[channels - 1][taps - 1](x, tap,
                                         d + first * layer->d_channel + y * stride * layer->d_row,
                                         layer->d_channel, layer->columns, stride, at);
        at += channels * taps;
      }
    }
  }
  at = sums;
  for (int first_tap = 0, taps; first_tap < layer->taps; first_tap += taps) {
    taps = layer->taps - first_tap < PLACES ? layer->taps - first_tap : PLACES;
    for (int c = 0; c < outputs; c++) /* one tile of channels after another */
      for (int t = 0; t < taps; t++)
        group[layer->weight + (long)c * layer->taps + first_tap + t] += total(*at++);
  }
  for (int c = 0; layer->is.bias && c < outputs; c++) {
    double sum = 0;
    for (int y = 0; y < layer->rows; y++) {
      Vector row = {};
      for (int p = 0; p < layer->columns; p++)
        row += d[c * layer->d_channel + (y * layer->d_row + p) * stride];
      sum += total(row);
    }
    group[layer->bias + c] += (float)sum;
  }
}

/* ---- batch normalization ------------------------------------------------------------------- */

/* Mean and sum of squared deviations of a block's outputs, channel by channel. Rows are added up
   as doubles, for what is left after subtraction may be small. */
static void measure(const Layer *layer, char *block, int b, int images) {
  Mask real = first_lanes(images);
  int rows = layer->rows, columns = layer->columns;
  for (int c = 0; c < layer->is.outputs; c++) {
    const Vector *z = (const Vector *)(block + layer->z) + (long)c * rows * columns;
    double sum = 0, squares = 0;
    for (int y = 0; y < rows; y++) {
      Vector row = {};
      for (int x = 0; x < columns; x++) row += z[y * columns + x];
      sum += total(only(real, row));
    }
    double mean = sum / ((double)rows * columns * images);
    float near = (float)mean;
    for (int y = 0; y < rows; y++) {
      Vector row = {};
      for (int x = 0; x < columns; x++)
        row += (z[y * columns + x] - near) * (z[y * columns + x] - near);
      squares += total(only(real, row));
    }
    layer->sums[(b * layer->is.outputs + c) * 2] = mean;
    layer->sums[(b * layer->is.outputs + c) * 2 + 1] = squares;
  }
}

/* From those of all blocks to mean and deviation of the batch (Chan, Golub and LeVeque 1983). */
static void combine(const Network *net, int i) {
  const Layer *layer = net->layers + i;
  float *const *values = net->values + i * VALUES;
  double places = (double)layer->rows * layer->columns;
  for (int c = 0; c < layer->is.outputs; c++) {
    double count = 0, mean = 0, squares = 0;
    for (int b = 0; b < net->blocks_count; b++) {
      const double *of = layer->sums + (b * layer->is.outputs + c) * 2;
      int images = net->images_count - b * LANES;
      double more = places * (images < LANES ? images : LANES), far = of[0] - mean;
      count += more;
      mean += far * more / count;
      squares += of[1] + far * far * more * (count - more) / count;
    }
    double variance = squares / count, momentum = layer->is.momentum;
    layer->mean[c] = mean;
    layer->deviation[c] = sqrt(variance + layer->is.epsilon);
    layer->scale[c] = (float)(values[GAMMA][c] / layer->deviation[c]);
    layer->shift[c] = (float)(values[BETA][c] - mean * values[GAMMA][c] / layer->deviation[c]);
    values[RUNNING_MEAN][c] = (float)((1 - momentum) * values[RUNNING_MEAN][c] + momentum * mean);
    values[RUNNING_VARIANCE][c] = (float)((1 - momentum) * values[RUNNING_VARIANCE][c] +
                                          momentum * squares / (count - 1));
  }
}

static void normalize(const Network *net, int i, char *block) {
  const Layer *layer = net->layers + i;
  long row, channel;
  Vector *to = output_of(net, i, block, &row, &channel), values[4];
  for (int c = 0; c < layer->is.outputs; c++) {
    const Vector *z = (const Vector *)(block + layer->z) + (long)c * layer->rows * layer->columns;
    for (int y = 0; y < layer->out_rows; y++)
      for (int x = 0; x < layer->out_columns; x++) {
        for (int p = 0; p < (layer->is.pool ? 4 : 1); p++) {
          long at = layer->is.pool ? (2L * y + p / 2) * layer->columns + 2 * x + p % 2
                                   : (long)y * layer->columns + x;
          values[p] = z[at] * layer->scale[c] + layer->shift[c];
        }
        finish(layer, block, c, y, x, values, 1, to + c * channel + y * row + x);
      }
  }
}

/* Sums of a block's gradient by the normalized output, and of its product with that output. */
static void measure_back(const Layer *layer, char *block, int b) {
  const Vector *d = (const Vector *)(block + layer->d) + layer->d_border * (layer->d_row + 1);
  int covered_rows = layer->is.pool ? 2 * layer->out_rows : layer->rows;
  int covered_columns = layer->is.pool ? 2 * layer->out_columns : layer->columns;
  for (int c = 0; c < layer->is.outputs; c++) {
    const Vector *z = (const Vector *)(block + layer->z) + (long)c * layer->rows * layer->columns;
    float mean = (float)layer->mean[c];
    double sum = 0, products = 0;
    for (int y = 0; y < covered_rows; y++) {
      Vector row = {}, product = {};
      for (int x = 0; x < covered_columns; x++) {
        Vector gradient = d[c * layer->d_channel + (y * layer->d_row + x) * layer->is.stride];
        row += gradient;
        product += gradient * (z[(long)y * layer->columns + x] - mean);
      }
      sum += total(row), products += total(product);
    }
    layer->sums[(b * layer->is.outputs + c) * 2] = sum;
    layer->sums[(b * layer->is.outputs + c) * 2 + 1] = products / layer->deviation[c];
  }
}

static void combine_back(const Network *net, int i) {
  const Layer *layer = net->layers + i;
  double count = (double)net->images_count * layer->rows * layer->columns;
  for (int c = 0; c < layer->is.outputs; c++) {
    double sum = 0, products = 0;
    for (int b = 0; b < net->blocks_count; b++) {
      sum += layer->sums[(b * layer->is.outputs + c) * 2];
      products += layer->sums[(b * layer->is.outputs + c) * 2 + 1];
    }
    float *const *gradients = net->gradients + i * VALUES;
    if (gradients[BETA]) gradients[BETA][c] = (float)sum;
    if (gradients[GAMMA]) gradients[GAMMA][c] = (float)products;
    layer->means[2 * c] = sum / count;
    layer->means[2 * c + 1] = products / count;
  }
}

/* From the gradient by the normalized output to that by the convolution's. */
static void normalize_back(const Layer *layer, char *block, int images) {
  Mask real = first_lanes(images);
  for (int c = 0; c < layer->is.outputs; c++) {
    Vector *d = (Vector *)(block + layer->d) + c * layer->d_channel +
                layer->d_border * (layer->d_row + 1);
    const Vector *z = (const Vector *)(block + layer->z) + (long)c * layer->rows * layer->columns;
    float mean = (float)layer->mean[c], even = (float)layer->means[2 * c];
    float slope = (float)(layer->means[2 * c + 1] / layer->deviation[c]);
    for (int y = 0; y < layer->rows; y++)
      for (int x = 0; x < layer->columns; x++) {
        Vector *at = d + (y * layer->d_row + x) * layer->is.stride, gradient = *at;
        if (layer->is.pool && (y >= 2 * layer->out_rows || x >= 2 * layer->out_columns))
          gradient = (Vector){}; /* a last row that is not pooled */
        gradient -= even + (z[(long)y * layer->columns + x] - mean) * slope;
        *at = only(real, gradient * layer->scale[c]);
      }
  }
}

/* ---- mean over all places ------------------------------------------------------------------ */

static void average(const Network *net, int i, char *block) {
  const Layer *layer = net->layers + i;
  int places = layer->is.height * layer->is.width;
  const Vector *x = (const Vector *)(block + layer->x);
  long row, channel;
  Vector *to = output_of(net, i, block, &row, &channel);
  for (int c = 0; c < layer->is.outputs; c++) {
    Vector sum = {};
    for (int p = 0; p < places; p++) sum += x[(long)c * places + p];
    to[c] = sum / (float)places;
  }
}

static void average_back(const Network *net, int i, char *block) {
  const Layer *layer = net->layers + i;
  int places = layer->is.height * layer->is.width;
  const Vector *d = (const Vector *)(block + layer->d);
  for (int c = 0; c < layer->is.outputs; c++)
    for (int p = 0; p < places; p++)
      give_back(net, i - 1, block, c, p / layer->is.width, p % layer->is.width,
                d[c] / (float)places);
}

/* ---- matrices ------------------------------------------------------------------------------ */

static void multiply(const Network *net, int i, char *block) {
  const Layer *layer = net->layers + i;
  int inputs = layer->is.inputs;
  const Vector *x = (const Vector *)(block + layer->x);
  const float *weight = net->values[i * VALUES + WEIGHT], *bias = net->values[i * VALUES + BIAS];
  long row, channel;
  Vector *to = output_of(net, i, block, &row, &channel);
  for (int o = 0; o < layer->is.outputs; o += 4) {
    int rows = layer->is.outputs - o < 4 ? layer->is.outputs - o : 4;
    const float *w[4];
    Vector sum[4] = {}, more[4] = {}; /* two of each, since an addition takes several cycles */
    for (int r = 0; r < 4; r++) w[r] = weight + (long)(o + (r < rows ? r : 0)) * inputs;
    for (int f = 0; f + 1 < inputs; f += 2)
#pragma GCC unroll 4
      for (int r = 0; r < 4; r++) sum[r] += x[f] * w[r][f], more[r] += x[f + 1] * w[r][f + 1];
    for (int r = 0; r < rows && inputs % 2; r++) sum[r] += x[inputs - 1] * w[r][inputs - 1];
    for (int r = 0; r < rows; r++) {
      Vector value = sum[r] + more[r] + (bias ? bias[o + r] : 0);
      to[o + r] = layer->is.relu ? only(passes(value), value) : value;
    }
  }
}

/* The same for the first layer, whose inputs are whole images: with an image's features in the
   lanes, so that the images need not be turned round. */
static void multiply_images(const Network *net, char *block, const float *images, int count) {
  const Layer *layer = net->layers;
  int inputs = layer->is.inputs, whole = inputs / LANES * LANES;
  const float *weight = net->values[WEIGHT], *bias = net->values[BIAS];
  long row, channel;
  Vector *to = output_of(net, 0, block, &row, &channel);
  memset(to, 0, sizeof(Vector) * layer->is.outputs);
  for (int n = 0; n < count; n++)
    for (int o = 0; o < layer->is.outputs; o += 4) {
      int rows = layer->is.outputs - o < 4 ? layer->is.outputs - o : 4;
      const float *image = images + (long)n * inputs, *w[4];
      Vector sum[4] = {}, value, weights;
      for (int r = 0; r < 4; r++) w[r] = weight + (long)(o + (r < rows ? r : 0)) * inputs;
      for (int f = 0; f < whole; f += LANES) {
        memcpy(&value, image + f, sizeof value);
#pragma GCC unroll 4
        for (int r = 0; r < 4; r++) {
          memcpy(&weights, w[r] + f, sizeof weights);
          sum[r] += value * weights;
        }
      }
      for (int r = 0; r < rows; r++) {
        float out = total(sum[r]) + (bias ? bias[o + r] : 0);
        for (int f = whole; f < inputs; f++) out += image[f] * w[r][f];
        to[o + r][n] = layer->is.relu && out <= 0 ? 0 : out;
      }
    }
}

static void multiply_back(const Network *net, int i, char *block) {
  const Layer *layer = net->layers + i, *before = layer - 1;
  const Vector *d = (const Vector *)(block + layer->d);
  const float *weight = net->values[i * VALUES + WEIGHT];
  int inputs = layer->is.inputs, places = before->out_rows * before->out_columns;
  for (int f = 0; f < inputs; f += 4) {
    int columns = inputs - f < 4 ? inputs - f : 4;
    Vector sum[4] = {};
    for (int o = 0; o < layer->is.outputs; o++)
      for (int c = 0; c < columns; c++) sum[c] += d[o] * weight[(long)o * inputs + f + c];
    for (int c = 0; c < columns; c++) {
      int place = (f + c) % places;
      give_back(net, i - 1, block, (f + c) / places, place / before->out_columns,
                place % before->out_columns, sum[c]);
    }
  }
}

/* Products of gradients and inputs, with features in the lanes: (images, inputs) `rows`. */
static void add_products(const Layer *layer, const float *rows, long length, const Vector *d,
                         int images, float *group) {
  int inputs = layer->is.inputs;
  for (int o = 0; o < layer->is.outputs; o += 4) {
    int some = layer->is.outputs - o < 4 ? layer->is.outputs - o : 4, f = 0;
    float by_image[LANES][4] = {}, parts[LANES];
    for (int r = 0; r < some; r++) {
      memcpy(parts, d + o + r, sizeof parts);
      for (int n = 0; n < LANES; n++) by_image[n][r] = parts[n];
    }
    float *to = group + layer->weight + (long)o * inputs;
    for (; f + LANES <= inputs; f += LANES) {
      Vector sum[4] = {}, value;
      for (int n = 0; n < images; n++) {
        memcpy(&value, rows + n * length + f, sizeof value);
#pragma GCC unroll 4
        for (int r = 0; r < 4; r++) sum[r] += value * by_image[n][r];
      }
      for (int r = 0; r < some; r++) {
        memcpy(&value, to + (long)r * inputs + f, sizeof value);
        value += sum[r];
        memcpy(to + (long)r * inputs + f, &value, sizeof value);
      }
    }
    for (; f < inputs; f++)
      for (int r = 0; r < some; r++)
        for (int n = 0; n < images; n++)
          to[(long)r * inputs + f] += rows[n * length + f] * by_image[n][r];
  }
}

static void matrix_gradients(const Network *net, int i, char *block, const float *images,
                             int count, float *group) {
  const Layer *layer = net->layers + i;
  const Vector *d = (const Vector *)(block + layer->d);
  const float *x = (const float *)(block + layer->x);
  if (i) { /* images become rows again; in the first layer they are rows */
    float *rows = (float *)(block + net->scratch);
    for (int f = 0; f < layer->is.inputs; f++)
      for (int n = 0; n < count; n++) rows[n * layer->is.inputs + f] = x[(long)f * LANES + n];
    images = rows;
  }
  add_products(layer, images, layer->is.inputs, d, count, group);
  for (int o = 0; layer->is.bias && o < layer->is.outputs; o++)
    group[layer->bias + o] += total(d[o]);
}

/* ---- loss ---------------------------------------------------------------------------------- */

/* Cross-entropies of a block's images, and the gradients of the batch's mean by the logits. */
static void cross_entropy(const Network *net, char *block, int first, int images) {
  const Layer *last = net->layers + net->count - 1;
  int classes = last->is.outputs;
  const Vector *logits = (const Vector *)(block + net->logits);
  Vector *d = (Vector *)(block + last->d), largest = logits[0], sum = {};
  for (int k = 1; k < classes; k++) {
    Mask larger = (Mask)(logits[k] > largest) | (Mask)(logits[k] != logits[k]);
    largest = where(larger, logits[k], largest);
  }
  for (int k = 0; k < classes; k++) sum += d[k] = exponential(logits[k] - largest);
  for (int k = 0; k < classes; k++) d[k] = d[k] / sum;
  float smoothing = net->smoothing, even = smoothing / classes;
  for (int n = 0; n < images; n++) {
    double norm = largest[n] + log(sum[n]), loss = 0;
    float share = net->shares ? net->shares[first + n] : 1;
    for (int k = 0; k < classes; k++) {
      float target = even;
      if (net->labels[first + n] == k) target += (1 - smoothing) * share;
      if (net->partners && net->partners[first + n] == k) target += (1 - smoothing) * (1 - share);
      if (target != 0) loss += target * (norm - logits[k][n]);
      d[k][n] -= target;
    }
    net->losses[first + n] = loss;
  }
  Mask real = first_lanes(images);
  for (int k = 0; k < classes; k++) {
    Mask mask = last->is.relu ? real & passes(logits[k]) : real;
    d[k] = only(mask, d[k] / (float)net->images_count);
  }
}

/* ---- a block through some layers and back ---------------------------------------------------- */

/* (images, channels, rows, columns) into the first layer's input; lanes without an image are 0. */
static void take_images(const Network *net, char *block, const float *images, int count) {
  const Layer *layer = net->layers;
  int border = layer->is.padding, height = layer->is.height, width = layer->is.width;
  long channel = (long)height * width, size = layer->is.inputs * channel;
  for (int n = 0; n < LANES; n++)
    for (int c = 0; c < layer->is.inputs; c++)
      for (int y = 0; y < height; y++) {
        float *to = (float *)((Vector *)(block + layer->x) + c * layer->x_channel +
                              (y + border) * layer->x_row + border) + n;
        const float *row = images + n * size + c * channel + (long)y * width;
        for (int x = 0; x < width; x++) to[(long)x * LANES] = n < count ? row[x] : 0;
      }
}

static void forward(const Network *net, char *block, const float *images, int count, int from,
                    int to) {
  for (int i = from; i < to; i++) switch (net->layers[i].is.kind) {
      case CONVOLUTION:
        if (i == 0) take_images(net, block, images, count);
        convolve(net, i, block);
        break;
      case MEAN: average(net, i, block); break;
      default:
        if (i)
          multiply(net, i, block);
        else
          multiply_images(net, block, images, count);
    }
}

static void backward(const Network *net, char *block, const float *images, int count, float *group,
                     int from, int to) {
  for (int i = from; i >= to; i--) switch (net->layers[i].is.kind) {
      case CONVOLUTION:
        convolution_gradients(net, i, block, group);
        if (i) convolve_back(net, i, block);
        break;
      case MEAN: average_back(net, i, block); break;
      default:
        matrix_gradients(net, i, block, images, count, group);
        if (i) multiply_back(net, i, block);
    }
}

/* The next normalized layer from i on, and the last one before i; `count` and -1 where none is. */
static int norm_from(const Network *net, int i) {
  while (i < net->count && !(net->training && net->layers[i].is.norm)) i++;
  return i;
}
static int norm_before(const Network *net, int i) {
  while (--i >= 0 && !(net->training && net->layers[i].is.norm)) continue;
  return i;
}

static void answer(const Network *net, const char *block, int first, int images) {
  const Vector *logits = (const Vector *)(block + net->logits);
  int classes = net->layers[net->count - 1].is.outputs;
  for (int n = 0; n < images; n++)
    for (int k = 0; k < classes; k++) net->answers[(long)(first + n) * classes + k] = logits[k][n];
}

/* Normalized layers part a step into phases. In a phase forward a block goes on from such a layer
   `from` (-1: from the images) to the next one; in the last of them it turns. In a phase back it
   goes from such a layer to the one before. */
static void run_block(const Network *net, int b, char *block, float *group) {
  const Layer *layers = net->layers;
  int left = net->images_count - b * LANES, count = left < LANES ? left : LANES, from = net->from;
  int next = net->back ? net->count : norm_from(net, from + 1);
  const float *images =
      net->images + (long)b * LANES * layers->is.inputs * layers->is.height * layers->is.width;
  if (net->back)
    normalize_back(layers + from, block, count);
  else if (from >= 0)
    normalize(net, from, block);
  if (!net->back)
    forward(net, block, images, count, from + 1, next < net->count ? next + 1 : next);
  if (next < net->count) {
    measure(layers + next, block, b, count);
  } else if (!net->training) {
    answer(net, block, b * LANES, count);
  } else {
    if (!net->back) cross_entropy(net, block, b * LANES, count);
    int last = net->back ? from : net->count - 1, stop = norm_before(net, net->back ? from : next);
    backward(net, block, images, count, group, last, stop + 1);
    if (stop >= 0) measure_back(layers + stop, block, b);
  }
}

/* ---- threads --------------------------------------------------------------------------------- */

/* Numbers below 1e-38, which processors compute slowly, become 0 while a step is computed. */
#if defined(__SSE__)
static unsigned flush_denormals(void) {
  unsigned before = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr(before | 0x8040);
  return before;
}
static void restore_denormals(unsigned before) { __builtin_ia32_ldmxcsr(before); }
#else
static unsigned flush_denormals(void) { return 0; }
static void restore_denormals(unsigned before) { (void)before; }
#endif

/* Waits for work for as long as Python takes between two steps, and then asleep. */
static void *serve(void *argument) {
  Worker *worker = argument;
  Team *team = worker->team;
  for (int seen = 0;;) {
    for (int i = 0; i < 20000 && atomic_load(&team->turn) == seen; i++) sched_yield();
    pthread_mutex_lock(&team->mutex);
    while (atomic_load(&team->turn) == seen) pthread_cond_wait(&team->wake, &team->mutex);
    pthread_mutex_unlock(&team->mutex);
    seen++;
    if (team->over) return NULL;
    unsigned before = flush_denormals();
    team->task(team, worker->index);
    restore_denormals(before);
    atomic_fetch_sub(&team->busy, 1);
  }
}

static void wake(Team *team) {
  pthread_mutex_lock(&team->mutex);
  atomic_fetch_add(&team->turn, 1);
  pthread_cond_broadcast(&team->wake);
  pthread_mutex_unlock(&team->mutex);
}

/* Have all threads do a task, this one too, and wait until the last of them is done. */
static void run_all(Team *team, void (*task)(Team *, int)) {
  team->task = task;
  atomic_store(&team->next, 0);
  atomic_store(&team->busy, team->threads - 1);
  if (team->threads > 1) wake(team);
  unsigned before = flush_denormals();
  task(team, 0);
  restore_denormals(before);
  while (atomic_load(&team->busy)) sched_yield();
}

/* Every so-many-th group of a phase's blocks. */
static void run_groups(Network *net, int thread, int threads) {
  for (int g = thread; g < net->groups_count; g += threads) {
    float *group = net->sums + g * net->parameters;
    if (net->training && net->from < 0 && !net->back)
      memset(group, 0, sizeof(float) * net->parameters);
    int first = (int)((long)g * net->blocks_count / net->groups_count);
    int end = (int)((long)(g + 1) * net->blocks_count / net->groups_count);
    for (int b = first; b < end; b++)
      run_block(net, b, net->blocks[net->training && net->team->kept > 1 ? b : thread], group);
  }
}

static void share_groups(Team *team, int thread) {
  run_groups(team->networks, thread, team->threads);
}

static void run_phase(Network *net) {
  if (net->team->members == 1)
    run_all(net->team, share_groups);
  else
    run_groups(net, 0, 1); /* by the thread that has this network */
}

/* ---- what Python calls ------------------------------------------------------------------------ */

/* Weights in the order in which tiles read them, with what is known of a normalization by now. */
static void pack(const Network *net, int i) {
  const Layer *layer = net->layers + i;
  float *const *values = net->values + i * VALUES;
  int outputs = layer->is.outputs, inputs = layer->is.inputs;
  int squares = layer->is.kernel * layer->is.kernel;
  for (int c = 0; c < outputs && !net->training; c++) {
    double bias = values[BIAS] ? values[BIAS][c] : 0, scale = 1, mean = 0, shift = 0;
    if (layer->is.norm) {
      scale = values[GAMMA][c] / sqrt(values[RUNNING_VARIANCE][c] + layer->is.epsilon);
      mean = values[RUNNING_MEAN][c], shift = values[BETA][c];
    }
    layer->scale[c] = (float)scale;
    layer->shift[c] = (float)((bias - mean) * scale + shift);
  }
  float *to = net->packed + layer->packed;
  for (int t = 0; t < tiles_of(outputs); t++)
    for (int j = 0; j < layer->taps; j++)
      for (int c = begin_of(t, outputs); c < begin_of(t + 1, outputs); c++)
        *to++ = values[WEIGHT][(long)c * layer->taps + j] * (net->training ? 1 : layer->scale[c]);
  to = net->packed + layer->flipped;
  for (int t = 0; t < tiles_of(inputs) && net->training && i; t++)
    for (int c = 0; c < outputs; c++)
      for (int k = squares - 1; k >= 0; k--)
        for (int j = begin_of(t, inputs); j < begin_of(t + 1, inputs); j++)
          *to++ = values[WEIGHT][((long)c * inputs + j) * squares + k];
}

/* Room in a block. Between two arrays lies a gap that a sanitizer, where there is one, watches. */
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define GAP 64
static void watch_gap(char *gap) { ASAN_POISON_MEMORY_REGION(gap, GAP); }
#else
#define GAP 0
static void watch_gap(char *gap) { (void)gap; }
#endif

static long reserve(Network *net, long bytes) {
  long at = net->block_size;
  net->block_size += (bytes + 63) / 64 * 64 + GAP;
  net->ends[net->arrays++] = net->block_size - GAP;
  return at;
}

static long larger(long a, long b) { return a > b ? a : b; }

static void lay_out(Network *net, int i, const Shape *is, int blocks) {
  Layer *layer = net->layers + i;
  long outputs = is->outputs;
  int kernel = is->kernel, border = is->padding;
  layer->is = *is;
  layer->rows = (is->height + 2 * border - kernel) / is->stride + 1;
  layer->columns = (is->width + 2 * border - kernel) / is->stride + 1;
  layer->out_rows = is->kind == MEAN ? 1 : is->pool ? layer->rows / 2 : layer->rows;
  layer->out_columns = is->kind == MEAN ? 1 : is->pool ? layer->columns / 2 : layer->columns;
  layer->taps = is->kind == MEAN ? 0 : is->inputs * kernel * kernel;
  layer->x_row = is->width + 2 * border;
  layer->x_channel = layer->x_row * (is->height + 2 * border);
  layer->x = reserve(net, sizeof(Vector) * is->inputs * layer->x_channel);
  layer->d_border = (int)larger(0, kernel - 1 - border);
  layer->d_skip = (int)larger(0, border - kernel + 1);
  layer->d_row = larger(is->width + kernel - 1 + layer->d_skip,
                        layer->d_border + (layer->columns - 1L) * is->stride + 1);
  layer->d_channel = layer->d_row * larger(is->height + kernel - 1 + layer->d_skip,
                                           layer->d_border + (layer->rows - 1L) * is->stride + 1);
  if (is->kind == MEAN) layer->d_row = layer->d_channel = 1;
  layer->d = reserve(net, sizeof(Vector) * outputs * layer->d_channel);
  if (is->pool)
    layer->winner = reserve(net, sizeof(Bytes) * outputs * layer->out_rows * layer->out_columns);
  if (is->norm) layer->z = reserve(net, sizeof(Vector) * outputs * layer->rows * layer->columns);
  if (is->kind == CONVOLUTION) {
    layer->packed = net->packed_size;
    layer->flipped = net->packed_size + outputs * layer->taps;
    net->packed_size += 2 * outputs * layer->taps;
  }
  layer->weight = net->parameters;
  layer->bias = layer->weight + outputs * layer->taps;
  net->parameters = layer->bias + (is->bias ? outputs : 0);
  layer->scale = calloc(2 * outputs, sizeof(float)), layer->shift = layer->scale + outputs;
  layer->mean = calloc(4 * outputs, sizeof(double)), layer->deviation = layer->mean + outputs;
  layer->means = layer->deviation + outputs;
  if (is->norm) layer->sums = calloc(2 * outputs * blocks, sizeof(double));
}

/* Whether there is memory for it. */
static int build(Network *net, Team *team, const Shape *shapes, int count, int batch) {
  long scratch = 0;
  net->team = team, net->count = count;
  /* Adding groups up takes longer than all else in a network of matrices alone. */
  net->most_groups = shapes[0].kind == MATRIX ? 1 : GROUPS;
  net->layers = calloc((size_t)count, sizeof(Layer));
  net->ends = calloc(4 * (size_t)count + 2, sizeof(long));
  for (int i = 0; i < count; i++) {
    lay_out(net, i, shapes + i, (batch + LANES - 1) / LANES);
    scratch = larger(scratch, (long)sizeof(Vector) * net->layers[i].taps *
                                  (shapes[i].kind == CONVOLUTION ? shapes[i].outputs : 1));
  }
  net->logits = reserve(net, sizeof(Vector) * shapes[count - 1].outputs);
  net->scratch = reserve(net, scratch);
  net->packed = malloc(sizeof(float) * (net->packed_size + 1));
  net->sums = malloc(sizeof(float) * (net->parameters * net->most_groups + 1));
  net->losses = malloc(sizeof(double) * batch);
  return net->packed && net->sums && net->losses;
}

void team_free(Team *team) {
  team->over = 1;
  wake(team);
  for (int t = 1; t < team->threads; t++) pthread_join(team->workers[t].thread, NULL);
  for (int b = 0; team->blocks && team->blocks[b]; b++) free(team->blocks[b]);
  for (int m = 0; m < team->members; m++) {
    Network *net = team->networks + m;
    for (int i = 0; i < net->count; i++)
      free(net->layers[i].scale), free(net->layers[i].mean), free(net->layers[i].sums);
    free(net->layers), free(net->ends), free(net->packed), free(net->sums), free(net->losses);
  }
  free(team->networks), free(team->blocks), free(team->workers);
  free(team);
}

/* Networks for steps of at most `batch` images each; NULL where memory or threads are too few. */
Team *team_new(const Shape *shapes, int count, int members, int threads, int batch) {
  Team *team = calloc(1, sizeof *team);
  team->members = members, team->threads = threads, team->kept = 1;
  for (int i = 0; i < count; i++)
    if (shapes[i].norm) team->kept = (batch + LANES - 1) / LANES;
  team->networks = calloc((size_t)members, sizeof(Network));
  int fits = 1;
  for (int m = 0; m < members; m++) fits &= build(team->networks + m, team, shapes, count, batch);
  const Network *any = team->networks;
  int blocks = members == 1 && team->kept > 1 ? team->kept : threads * team->kept, made = 0;
  team->blocks = calloc((size_t)blocks + 1, sizeof(char *));
  for (; fits && made < blocks && (team->blocks[made] = aligned_alloc(64, any->block_size)); made++) {
    memset(team->blocks[made], 0, any->block_size); /* borders stay 0 */
    for (int a = 0; a < any->arrays; a++) watch_gap(team->blocks[made] + any->ends[a]);
  }
  for (int m = 0; m < members; m++) team->networks[m].blocks = team->blocks;
  pthread_mutex_init(&team->mutex, NULL);
  pthread_cond_init(&team->wake, NULL);
  team->workers = calloc((size_t)threads, sizeof(Worker));
  team->threads = 1;
  for (int t = 1; made == blocks && t < threads; t++, team->threads++) {
    team->workers[t] = (Worker){.team = team, .index = t};
    if (pthread_create(&team->workers[t].thread, NULL, serve, team->workers + t)) break;
  }
  if (team->threads == threads && made == blocks) return team;
  team_free(team);
  return NULL;
}

int team_lanes(void) { return LANES; }

/* All phases of a network's step. */
static void step(Network *net) {
  net->blocks_count = (net->images_count + LANES - 1) / LANES;
  net->groups_count = net->blocks_count < net->most_groups ? net->blocks_count : net->most_groups;
  net->back = 0, net->from = -1;
  for (int i = 0; i < net->count; i++)
    if (net->layers[i].is.kind == CONVOLUTION) pack(net, i);
  for (;;) {
    run_phase(net);
    int next = norm_from(net, net->from + 1);
    if (next == net->count) break;
    combine(net, next);
    net->from = next;
  }
  if (!net->training) return;
  net->back = 1;
  for (int i = norm_before(net, net->count); i >= 0; i = norm_before(net, i)) {
    net->from = i;
    combine_back(net, i);
    run_phase(net);
  }
  for (int i = 0; i < net->count; i++) {
    const Layer *layer = net->layers + i;
    const long from[] = {layer->weight, layer->bias};
    const long many[] = {layer->is.outputs * (long)layer->taps, layer->is.outputs};
    for (int part = WEIGHT; part <= BIAS; part++) {
      float *to = net->gradients[i * VALUES + part];
      if (!to) continue;
      memcpy(to, net->sums + from[part], sizeof(float) * many[part]);
      for (int g = 1; g < net->groups_count; g++)
        for (long j = 0; j < many[part]; j++)
          to[j] += net->sums[g * net->parameters + from[part] + j];
    }
  }
}

/* One network after another, as long as there are any that no thread has taken. */
static void share_networks(Team *team, int thread) {
  for (int m; (m = atomic_fetch_add(&team->next, 1)) < team->members;) {
    team->networks[m].blocks = team->blocks + (long)thread * team->kept;
    step(team->networks + m);
  }
}

static void step_all(Team *team) {
  if (team->members == 1)
    step(team->networks);
  else
    run_all(team, share_networks);
}

/* `values` and `gradients` hold for each member and layer its weight, bias, gamma, beta, running
   mean and running variance; NULL where there is none or no gradient is asked for. */

/* (members, count, K) logits of the same images in eval mode, where a normalization is a part of
   the weights. */
void team_answer(Team *team, float *const *values, const float *images, int count, float *logits) {
  for (int m = 0; m < team->members; m++) {
    Network *net = team->networks + m;
    net->training = 0, net->images = images, net->images_count = count;
    net->values = values + (long)m * net->count * VALUES;
    net->answers = logits + (long)m * count * net->layers[net->count - 1].is.outputs;
  }
  step_all(team);
}

/* The mean loss of each member's `count` images, and the gradients of it. */
void team_step(Team *team, float *const *values, float *const *gradients, const float *images,
               int count, const int64_t *labels, const int64_t *partners, const float *shares,
               float smoothing, float *losses) {
  for (int m = 0; m < team->members; m++) {
    Network *net = team->networks + m;
    const Shape *first = &net->layers->is;
    long begin = (long)m * count, of_layers = (long)m * net->count * VALUES;
    net->training = 1, net->smoothing = smoothing, net->images_count = count;
    net->images = images + begin * first->inputs * first->height * first->width;
    net->labels = labels + begin;
    net->partners = partners ? partners + begin : NULL;
    net->shares = shares ? shares + begin : NULL;
    net->values = values + of_layers, net->gradients = gradients + of_layers;
  }
  step_all(team);
  for (int m = 0; m < team->members; m++) {
    double sum = 0;
    for (int n = 0; n < count; n++) sum += team->networks[m].losses[n];
    losses[m] = (float)(sum / count);
  }
}
