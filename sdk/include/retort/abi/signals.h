/* What an algorithm may ask the host to compute. One space of bits for all interfaces, so that a bit never means two
 * things; each interface's header says which of them it knows, and the host refuses any other by name. */
#ifndef RETORT_ABI_SIGNALS_H
#define RETORT_ABI_SIGNALS_H

#include <stdint.h>

/* retort.distill/1 */
#define RETORT_SIGNAL_TEACHER_LOGITS (UINT64_C(1) << 0)
#define RETORT_SIGNAL_TEACHER_TOP_K (UINT64_C(1) << 1) /* ids, log-probabilities and the mass of the tail */
#define RETORT_SIGNAL_HIDDEN_STATES (UINT64_C(1) << 2) /* of the declared layers, of student and teachers */
#define RETORT_SIGNAL_LABELS (UINT64_C(1) << 3)
#define RETORT_SIGNAL_TEACHER_SPANS (UINT64_C(1) << 4) /* a teacher with another tokenizer, aligned span by span */

/* retort.rl/1; the first also of retort.preference/1 */
#define RETORT_SIGNAL_REFERENCE_LOG_PROBS (UINT64_C(1) << 8) /* under the frozen starting policy */
#define RETORT_SIGNAL_VALUES (UINT64_C(1) << 9)              /* a value head on the policy, trained with it */
#define RETORT_SIGNAL_ENTROPIES (UINT64_C(1) << 10)          /* of the policy at every response position */
#define RETORT_SIGNAL_TOKEN_REWARDS (UINT64_C(1) << 11)
#define RETORT_SIGNAL_SAMPLER_LOG_PROBS (UINT64_C(1) << 12) /* of the engine that sampled */

/* retort.pruner/1 */
#define RETORT_SIGNAL_HIDDEN_NORMS (UINT64_C(1) << 16)
#define RETORT_SIGNAL_FEED_FORWARD_NORMS (UINT64_C(1) << 17)
#define RETORT_SIGNAL_HEAD_NORMS (UINT64_C(1) << 18)
#define RETORT_SIGNAL_BLOCK_INFLUENCE (UINT64_C(1) << 19)
#define RETORT_SIGNAL_BLOCK_SIMILARITY (UINT64_C(1) << 20)
#define RETORT_SIGNAL_TOKEN_COUNTS (UINT64_C(1) << 21)
#define RETORT_SIGNAL_GRADIENTS (UINT64_C(1) << 22)            /* of the calibration loss, by weight name */
#define RETORT_SIGNAL_SQUARED_GRADIENTS (UINT64_C(1) << 23)    /* the diagonal of the empirical Fisher information */
#define RETORT_SIGNAL_FEED_FORWARD_HESSIAN (UINT64_C(1) << 24) /* of down's input, a layer at a time */

/* retort.quantizer/1, retort.sparsifier/1: statistics of a site (site.h) */
#define RETORT_SIGNAL_INPUT_ABSOLUTE_MEAN (UINT64_C(1) << 32)
#define RETORT_SIGNAL_INPUT_ABSOLUTE_MAX (UINT64_C(1) << 33)
#define RETORT_SIGNAL_INPUT_SQUARE_SUM (UINT64_C(1) << 34)
#define RETORT_SIGNAL_INPUT_HESSIAN (UINT64_C(1) << 35)
#define RETORT_SIGNAL_INPUT_SAMPLES (UINT64_C(1) << 36)

#endif
