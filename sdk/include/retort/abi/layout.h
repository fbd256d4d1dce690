/* Offsets of every field of ABI 1 on 64-bit platforms: a change that would break built plugins does not compile. */
#ifndef RETORT_ABI_LAYOUT_H
#define RETORT_ABI_LAYOUT_H

#include "distill.h"
#include "environment.h"
#include "plugin.h"
#include "pruner.h"
#include "quantizer.h"
#include "reward.h"
#include "rl.h"
#include "stage.h"
#include "teacher.h"

#ifdef __cplusplus
#define RETORT_LAYOUT_ASSERT(condition) static_assert(condition, #condition)
#else
#define RETORT_LAYOUT_ASSERT(condition) _Static_assert(condition, #condition)
#endif
#define RETORT_AT(type, field, offset) RETORT_LAYOUT_ASSERT(offsetof(type, field) == (offset))

RETORT_LAYOUT_ASSERT(sizeof(void*) == 8);

RETORT_AT(retort_string, data, 0);
RETORT_AT(retort_string, size, 8);

RETORT_AT(retort_text_sink, struct_size, 0);
RETORT_AT(retort_text_sink, reserved, 4);
RETORT_AT(retort_text_sink, context, 8);
RETORT_AT(retort_text_sink, write, 16);

RETORT_AT(retort_metric_sink, struct_size, 0);
RETORT_AT(retort_metric_sink, reserved, 4);
RETORT_AT(retort_metric_sink, context, 8);
RETORT_AT(retort_metric_sink, metric, 16);

RETORT_AT(retort_tensor, struct_size, 0);
RETORT_AT(retort_tensor, flags, 4);
RETORT_AT(retort_tensor, data, 8);
RETORT_AT(retort_tensor, device_type, 16);
RETORT_AT(retort_tensor, device_id, 20);
RETORT_AT(retort_tensor, dtype_code, 24);
RETORT_AT(retort_tensor, dtype_bits, 25);
RETORT_AT(retort_tensor, dtype_lanes, 26);
RETORT_AT(retort_tensor, dimensions, 28);
RETORT_AT(retort_tensor, shape, 32);
RETORT_AT(retort_tensor, strides, 40);
RETORT_AT(retort_tensor, byte_offset, 48);

RETORT_AT(retort_parameter, struct_size, 0);
RETORT_AT(retort_parameter, type, 4);
RETORT_AT(retort_parameter, path, 8);
RETORT_AT(retort_parameter, integer, 24);
RETORT_AT(retort_parameter, number, 32);
RETORT_AT(retort_parameter, string, 40);

RETORT_AT(retort_host, struct_size, 0);
RETORT_AT(retort_host, abi_major, 4);
RETORT_AT(retort_host, abi_minor, 8);
RETORT_AT(retort_host, reserved, 12);
RETORT_AT(retort_host, product_version, 16);
RETORT_AT(retort_host, error_new, 32);
RETORT_AT(retort_host, error_code, 40);
RETORT_AT(retort_host, error_message, 48);
RETORT_AT(retort_host, error_free, 56);
RETORT_AT(retort_host, log, 64);
RETORT_AT(retort_host, should_stop, 72);
RETORT_AT(retort_host, get_extension, 80);

RETORT_AT(retort_component, struct_size, 0);
RETORT_AT(retort_component, reserved, 4);
RETORT_AT(retort_component, id, 8);
RETORT_AT(retort_component, interface, 24);
RETORT_AT(retort_component, version, 40);
RETORT_AT(retort_component, summary, 56);
RETORT_AT(retort_component, parameters_schema, 72);

RETORT_AT(retort_plugin_entry, struct_size, 0);
RETORT_AT(retort_plugin_entry, abi_major, 4);
RETORT_AT(retort_plugin_entry, abi_minor, 8);
RETORT_AT(retort_plugin_entry, reserved, 12);
RETORT_AT(retort_plugin_entry, name, 16);
RETORT_AT(retort_plugin_entry, version, 32);
RETORT_AT(retort_plugin_entry, license, 48);
RETORT_AT(retort_plugin_entry, init, 64);
RETORT_AT(retort_plugin_entry, shutdown, 72);
RETORT_AT(retort_plugin_entry, component_count, 80);
RETORT_AT(retort_plugin_entry, component, 88);
RETORT_AT(retort_plugin_entry, create, 96);
RETORT_AT(retort_plugin_entry, destroy, 104);
RETORT_AT(retort_plugin_entry, get_interface, 112);

RETORT_AT(retort_stage_input, struct_size, 0);
RETORT_AT(retort_stage_input, flags, 4);
RETORT_AT(retort_stage_input, name, 8);
RETORT_AT(retort_stage_input, kind, 24);
RETORT_AT(retort_stage_input, summary, 40);

RETORT_AT(retort_stage_slot, struct_size, 0);
RETORT_AT(retort_stage_slot, flags, 4);
RETORT_AT(retort_stage_slot, name, 8);
RETORT_AT(retort_stage_slot, interface, 24);
RETORT_AT(retort_stage_slot, summary, 40);

RETORT_AT(retort_stage_description, struct_size, 0);
RETORT_AT(retort_stage_description, input_count, 4);
RETORT_AT(retort_stage_description, slot_count, 8);
RETORT_AT(retort_stage_description, reserved, 12);
RETORT_AT(retort_stage_description, inputs, 16);
RETORT_AT(retort_stage_description, slots, 24);
RETORT_AT(retort_stage_description, produces, 32);

RETORT_AT(retort_stage_component, struct_size, 0);
RETORT_AT(retort_stage_component, reserved, 4);
RETORT_AT(retort_stage_component, id, 8);
RETORT_AT(retort_stage_component, instance, 24);
RETORT_AT(retort_stage_component, functions, 32);

RETORT_AT(retort_stage_context, struct_size, 0);
RETORT_AT(retort_stage_context, reserved, 4);
RETORT_AT(retort_stage_context, context, 8);
RETORT_AT(retort_stage_context, name, 16);
RETORT_AT(retort_stage_context, output_folder, 32);
RETORT_AT(retort_stage_context, work_folder, 48);
RETORT_AT(retort_stage_context, seed, 64);
RETORT_AT(retort_stage_context, threads, 72);
RETORT_AT(retort_stage_context, input_count, 80);
RETORT_AT(retort_stage_context, input_folder, 88);
RETORT_AT(retort_stage_context, input_name, 96);
RETORT_AT(retort_stage_context, component, 104);
RETORT_AT(retort_stage_context, metric, 112);
RETORT_AT(retort_stage_context, fact, 120);
RETORT_AT(retort_stage_context, progress, 128);

RETORT_AT(retort_stage_v1, struct_size, 0);
RETORT_AT(retort_stage_v1, reserved, 4);
RETORT_AT(retort_stage_v1, describe, 8);
RETORT_AT(retort_stage_v1, run, 16);

RETORT_AT(retort_teacher_v1, struct_size, 0);
RETORT_AT(retort_teacher_v1, reserved, 4);
RETORT_AT(retort_teacher_v1, complete, 8);

RETORT_AT(retort_reward_v1, struct_size, 0);
RETORT_AT(retort_reward_v1, reserved, 4);
RETORT_AT(retort_reward_v1, score, 8);

RETORT_AT(retort_environment_draft1, struct_size, 0);
RETORT_AT(retort_environment_draft1, reserved, 4);
RETORT_AT(retort_environment_draft1, tools, 8);
RETORT_AT(retort_environment_draft1, generate, 16);
RETORT_AT(retort_environment_draft1, execute, 24);

RETORT_AT(retort_distill_requirements, struct_size, 0);
RETORT_AT(retort_distill_requirements, signals, 4);
RETORT_AT(retort_distill_requirements, top_k, 8);
RETORT_AT(retort_distill_requirements, on_policy_fraction, 16);

RETORT_AT(retort_distill_batch, struct_size, 0);
RETORT_AT(retort_distill_batch, reserved, 4);
RETORT_AT(retort_distill_batch, student_logits, 8);
RETORT_AT(retort_distill_batch, teacher_logits, 16);
RETORT_AT(retort_distill_batch, teacher_top_ids, 24);
RETORT_AT(retort_distill_batch, teacher_top_log_probs, 32);
RETORT_AT(retort_distill_batch, student_hidden, 40);
RETORT_AT(retort_distill_batch, teacher_hidden, 48);
RETORT_AT(retort_distill_batch, labels, 56);
RETORT_AT(retort_distill_batch, mask, 64);

RETORT_AT(retort_distill_v1, struct_size, 0);
RETORT_AT(retort_distill_v1, reserved, 4);
RETORT_AT(retort_distill_v1, requirements, 8);
RETORT_AT(retort_distill_v1, loss, 16);

RETORT_AT(retort_rl_requirements, struct_size, 0);
RETORT_AT(retort_rl_requirements, needs, 4);
RETORT_AT(retort_rl_requirements, group_size, 8);

RETORT_AT(retort_rl_batch, struct_size, 0);
RETORT_AT(retort_rl_batch, reserved, 4);
RETORT_AT(retort_rl_batch, rewards, 8);
RETORT_AT(retort_rl_batch, mask, 16);
RETORT_AT(retort_rl_batch, log_probs, 24);
RETORT_AT(retort_rl_batch, old_log_probs, 32);
RETORT_AT(retort_rl_batch, reference_log_probs, 40);
RETORT_AT(retort_rl_batch, values, 48);
RETORT_AT(retort_rl_batch, advantages, 56);
RETORT_AT(retort_rl_batch, step_rows, 64);
RETORT_AT(retort_rl_batch, step_tokens, 72);
RETORT_AT(retort_rl_batch, maximum_tokens, 80);

RETORT_AT(retort_rl_v1, struct_size, 0);
RETORT_AT(retort_rl_v1, reserved, 4);
RETORT_AT(retort_rl_v1, requirements, 8);
RETORT_AT(retort_rl_v1, advantages, 16);
RETORT_AT(retort_rl_v1, loss, 24);

RETORT_AT(retort_prune_structure, struct_size, 0);
RETORT_AT(retort_prune_structure, tied_embedding, 4);
RETORT_AT(retort_prune_structure, layers, 8);
RETORT_AT(retort_prune_structure, heads, 16);
RETORT_AT(retort_prune_structure, kv_heads, 24);
RETORT_AT(retort_prune_structure, head_dim, 32);
RETORT_AT(retort_prune_structure, hidden, 40);
RETORT_AT(retort_prune_structure, feed_forward, 48);
RETORT_AT(retort_prune_structure, vocabulary, 56);
RETORT_AT(retort_prune_structure, parameters, 64);

RETORT_AT(retort_prune_requirements, struct_size, 0);
RETORT_AT(retort_prune_requirements, signals, 4);
RETORT_AT(retort_prune_requirements, samples, 8);

RETORT_AT(retort_prune_signals, struct_size, 0);
RETORT_AT(retort_prune_signals, reserved, 4);
RETORT_AT(retort_prune_signals, hidden_norms, 8);
RETORT_AT(retort_prune_signals, feed_forward_norms, 16);
RETORT_AT(retort_prune_signals, head_norms, 24);
RETORT_AT(retort_prune_signals, block_influence, 32);
RETORT_AT(retort_prune_signals, token_counts, 40);

RETORT_AT(retort_prune_plan_sink, struct_size, 0);
RETORT_AT(retort_prune_plan_sink, reserved, 4);
RETORT_AT(retort_prune_plan_sink, context, 8);
RETORT_AT(retort_prune_plan_sink, keep, 16);

RETORT_AT(retort_pruner_v1, struct_size, 0);
RETORT_AT(retort_pruner_v1, reserved, 4);
RETORT_AT(retort_pruner_v1, requirements, 8);
RETORT_AT(retort_pruner_v1, plan, 16);

RETORT_AT(retort_quantize_requirements, struct_size, 0);
RETORT_AT(retort_quantize_requirements, signals, 4);
RETORT_AT(retort_quantize_requirements, samples, 8);
RETORT_AT(retort_quantize_requirements, bits, 16);
RETORT_AT(retort_quantize_requirements, symmetric, 20);
RETORT_AT(retort_quantize_requirements, group_size, 24);

RETORT_AT(retort_quantize_input, struct_size, 0);
RETORT_AT(retort_quantize_input, reserved, 4);
RETORT_AT(retort_quantize_input, module, 8);
RETORT_AT(retort_quantize_input, weight, 24);
RETORT_AT(retort_quantize_input, input_absolute_mean, 32);
RETORT_AT(retort_quantize_input, input_absolute_max, 40);
RETORT_AT(retort_quantize_input, input_hessian, 48);
RETORT_AT(retort_quantize_input, input_samples, 56);

RETORT_AT(retort_quantize_output, struct_size, 0);
RETORT_AT(retort_quantize_output, reserved, 4);
RETORT_AT(retort_quantize_output, codes, 8);
RETORT_AT(retort_quantize_output, scales, 16);
RETORT_AT(retort_quantize_output, zero_points, 24);
RETORT_AT(retort_quantize_output, smoothing, 32);

RETORT_AT(retort_quantizer_v1, struct_size, 0);
RETORT_AT(retort_quantizer_v1, reserved, 4);
RETORT_AT(retort_quantizer_v1, requirements, 8);
RETORT_AT(retort_quantizer_v1, quantize, 16);

#undef RETORT_AT
#undef RETORT_LAYOUT_ASSERT

#endif
