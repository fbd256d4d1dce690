/* Offsets of every field of ABI 1 on 64-bit platforms: a change that would break built plugins does not compile. */
#ifndef RETORT_ABI_LAYOUT_H
#define RETORT_ABI_LAYOUT_H

#include "base.h"
#include "distill.h"
#include "environment.h"
#include "host_models.h"
#include "host_secrets.h"
#include "host_stages.h"
#include "host_storage.h"
#include "plugin.h"
#include "preference.h"
#include "pruner.h"
#include "quantizer.h"
#include "reward.h"
#include "rl.h"
#include "signals.h"
#include "site.h"
#include "sparsifier.h"
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
RETORT_LAYOUT_ASSERT(sizeof(retort_string) == 16);

RETORT_AT(retort_text_sink, struct_size, 0);
RETORT_AT(retort_text_sink, reserved, 4);
RETORT_AT(retort_text_sink, context, 8);
RETORT_AT(retort_text_sink, write, 16);
RETORT_LAYOUT_ASSERT(sizeof(retort_text_sink) == 24);

RETORT_AT(retort_item_sink, struct_size, 0);
RETORT_AT(retort_item_sink, reserved, 4);
RETORT_AT(retort_item_sink, context, 8);
RETORT_AT(retort_item_sink, item, 16);
RETORT_LAYOUT_ASSERT(sizeof(retort_item_sink) == 24);

RETORT_AT(retort_metric_sink, struct_size, 0);
RETORT_AT(retort_metric_sink, reserved, 4);
RETORT_AT(retort_metric_sink, context, 8);
RETORT_AT(retort_metric_sink, metric, 16);
RETORT_LAYOUT_ASSERT(sizeof(retort_metric_sink) == 24);

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
RETORT_LAYOUT_ASSERT(sizeof(retort_tensor) == 56);

RETORT_AT(retort_parameter, struct_size, 0);
RETORT_AT(retort_parameter, type, 4);
RETORT_AT(retort_parameter, path, 8);
RETORT_AT(retort_parameter, integer, 24);
RETORT_AT(retort_parameter, number, 32);
RETORT_AT(retort_parameter, string, 40);
RETORT_LAYOUT_ASSERT(sizeof(retort_parameter) == 56);

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
RETORT_LAYOUT_ASSERT(sizeof(retort_host) == 88);

RETORT_AT(retort_slot, struct_size, 0);
RETORT_AT(retort_slot, flags, 4);
RETORT_AT(retort_slot, name, 8);
RETORT_AT(retort_slot, interface, 24);
RETORT_AT(retort_slot, summary, 40);
RETORT_LAYOUT_ASSERT(sizeof(retort_slot) == 56);

RETORT_AT(retort_component, struct_size, 0);
RETORT_AT(retort_component, reserved, 4);
RETORT_AT(retort_component, id, 8);
RETORT_AT(retort_component, interface, 24);
RETORT_AT(retort_component, version, 40);
RETORT_AT(retort_component, summary, 56);
RETORT_AT(retort_component, parameters_schema, 72);
RETORT_AT(retort_component, slots, 88);
RETORT_AT(retort_component, slot_count, 96);
RETORT_AT(retort_component, stage, 104);
RETORT_LAYOUT_ASSERT(sizeof(retort_component) == 112);

RETORT_AT(retort_bound_component, struct_size, 0);
RETORT_AT(retort_bound_component, reserved, 4);
RETORT_AT(retort_bound_component, slot, 8);
RETORT_AT(retort_bound_component, id, 24);
RETORT_AT(retort_bound_component, instance, 40);
RETORT_AT(retort_bound_component, functions, 48);
RETORT_LAYOUT_ASSERT(sizeof(retort_bound_component) == 56);

RETORT_AT(retort_create_arguments, struct_size, 0);
RETORT_AT(retort_create_arguments, index, 4);
RETORT_AT(retort_create_arguments, parameters, 8);
RETORT_AT(retort_create_arguments, parameter_count, 16);
RETORT_AT(retort_create_arguments, components, 24);
RETORT_AT(retort_create_arguments, component_count, 32);
RETORT_LAYOUT_ASSERT(sizeof(retort_create_arguments) == 40);

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
RETORT_LAYOUT_ASSERT(sizeof(retort_plugin_entry) == 120);

RETORT_AT(retort_stage_input, struct_size, 0);
RETORT_AT(retort_stage_input, flags, 4);
RETORT_AT(retort_stage_input, name, 8);
RETORT_AT(retort_stage_input, kind, 24);
RETORT_AT(retort_stage_input, summary, 40);
RETORT_LAYOUT_ASSERT(sizeof(retort_stage_input) == 56);

RETORT_AT(retort_stage_description, struct_size, 0);
RETORT_AT(retort_stage_description, input_count, 4);
RETORT_AT(retort_stage_description, inputs, 8);
RETORT_AT(retort_stage_description, produces, 16);
RETORT_LAYOUT_ASSERT(sizeof(retort_stage_description) == 32);

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
RETORT_AT(retort_stage_context, component_count, 104);
RETORT_AT(retort_stage_context, component, 112);
RETORT_AT(retort_stage_context, metric, 120);
RETORT_AT(retort_stage_context, fact, 128);
RETORT_AT(retort_stage_context, progress, 136);
RETORT_AT(retort_stage_context, get_extension, 144);
RETORT_LAYOUT_ASSERT(sizeof(retort_stage_context) == 152);

RETORT_AT(retort_stage_v1, struct_size, 0);
RETORT_AT(retort_stage_v1, reserved, 4);
RETORT_AT(retort_stage_v1, check, 8);
RETORT_AT(retort_stage_v1, run, 16);
RETORT_LAYOUT_ASSERT(sizeof(retort_stage_v1) == 24);

RETORT_AT(retort_site_statistics, struct_size, 0);
RETORT_AT(retort_site_statistics, reserved, 4);
RETORT_AT(retort_site_statistics, rows, 8);
RETORT_AT(retort_site_statistics, absolute_mean, 16);
RETORT_AT(retort_site_statistics, absolute_max, 24);
RETORT_AT(retort_site_statistics, square_sum, 32);
RETORT_AT(retort_site_statistics, hessian, 40);
RETORT_AT(retort_site_statistics, samples, 48);
RETORT_LAYOUT_ASSERT(sizeof(retort_site_statistics) == 56);

RETORT_AT(retort_site_module, struct_size, 0);
RETORT_AT(retort_site_module, reserved, 4);
RETORT_AT(retort_site_module, name, 8);
RETORT_AT(retort_site_module, weight, 24);
RETORT_AT(retort_site_module, rows, 32);
RETORT_AT(retort_site_module, columns, 40);
RETORT_LAYOUT_ASSERT(sizeof(retort_site_module) == 48);

RETORT_AT(retort_site, struct_size, 0);
RETORT_AT(retort_site, producer, 4);
RETORT_AT(retort_site, name, 8);
RETORT_AT(retort_site, modules, 24);
RETORT_AT(retort_site, module_count, 32);
RETORT_AT(retort_site, columns, 40);
RETORT_AT(retort_site, channel_group, 48);
RETORT_AT(retort_site, shared_heads, 56);
RETORT_AT(retort_site, statistics, 64);
RETORT_LAYOUT_ASSERT(sizeof(retort_site) == 72);

RETORT_AT(retort_model_shape, struct_size, 0);
RETORT_AT(retort_model_shape, reserved, 4);
RETORT_AT(retort_model_shape, layers, 8);
RETORT_AT(retort_model_shape, hidden, 16);
RETORT_AT(retort_model_shape, vocabulary, 24);
RETORT_LAYOUT_ASSERT(sizeof(retort_model_shape) == 32);

RETORT_AT(retort_distill_setup, struct_size, 0);
RETORT_AT(retort_distill_setup, teacher_count, 4);
RETORT_AT(retort_distill_setup, student, 8);
RETORT_AT(retort_distill_setup, teachers, 16);
RETORT_AT(retort_distill_setup, total_steps, 24);
RETORT_AT(retort_distill_setup, seed, 32);
RETORT_LAYOUT_ASSERT(sizeof(retort_distill_setup) == 40);

RETORT_AT(retort_trained_parameter, struct_size, 0);
RETORT_AT(retort_trained_parameter, dimensions, 4);
RETORT_AT(retort_trained_parameter, name, 8);
RETORT_AT(retort_trained_parameter, shape, 24);
RETORT_LAYOUT_ASSERT(sizeof(retort_trained_parameter) == 32);

RETORT_AT(retort_distill_requirements, struct_size, 0);
RETORT_AT(retort_distill_requirements, flags, 4);
RETORT_AT(retort_distill_requirements, signals, 8);
RETORT_AT(retort_distill_requirements, top_k, 16);
RETORT_AT(retort_distill_requirements, on_policy_fraction, 24);
RETORT_AT(retort_distill_requirements, layer_count, 32);
RETORT_AT(retort_distill_requirements, student_layers, 40);
RETORT_AT(retort_distill_requirements, teacher_layers, 48);
RETORT_AT(retort_distill_requirements, parameter_count, 56);
RETORT_AT(retort_distill_requirements, parameters, 64);
RETORT_LAYOUT_ASSERT(sizeof(retort_distill_requirements) == 72);

RETORT_AT(retort_distill_teacher, struct_size, 0);
RETORT_AT(retort_distill_teacher, reserved, 4);
RETORT_AT(retort_distill_teacher, weight, 8);
RETORT_AT(retort_distill_teacher, logits, 16);
RETORT_AT(retort_distill_teacher, top_ids, 24);
RETORT_AT(retort_distill_teacher, top_log_probs, 32);
RETORT_AT(retort_distill_teacher, tail_mass, 40);
RETORT_AT(retort_distill_teacher, hidden, 48);
RETORT_AT(retort_distill_teacher, labels, 56);
RETORT_AT(retort_distill_teacher, spans, 64);
RETORT_LAYOUT_ASSERT(sizeof(retort_distill_teacher) == 72);

RETORT_AT(retort_distill_batch, struct_size, 0);
RETORT_AT(retort_distill_batch, on_policy, 4);
RETORT_AT(retort_distill_batch, student_logits, 8);
RETORT_AT(retort_distill_batch, student_hidden, 16);
RETORT_AT(retort_distill_batch, teachers, 24);
RETORT_AT(retort_distill_batch, teacher_count, 32);
RETORT_AT(retort_distill_batch, labels, 40);
RETORT_AT(retort_distill_batch, mask, 48);
RETORT_AT(retort_distill_batch, sequences, 56);
RETORT_AT(retort_distill_batch, positions, 64);
RETORT_AT(retort_distill_batch, lengths, 72);
RETORT_AT(retort_distill_batch, parameters, 80);
RETORT_AT(retort_distill_batch, step, 88);
RETORT_AT(retort_distill_batch, total_steps, 96);
RETORT_AT(retort_distill_batch, step_weight, 104);
RETORT_AT(retort_distill_batch, step_sequences, 112);
RETORT_LAYOUT_ASSERT(sizeof(retort_distill_batch) == 120);

RETORT_AT(retort_distill_result, struct_size, 0);
RETORT_AT(retort_distill_result, reserved, 4);
RETORT_AT(retort_distill_result, loss, 8);
RETORT_AT(retort_distill_result, logits_gradient, 16);
RETORT_AT(retort_distill_result, hidden_gradients, 24);
RETORT_AT(retort_distill_result, parameter_gradients, 32);
RETORT_AT(retort_distill_result, metrics, 40);
RETORT_LAYOUT_ASSERT(sizeof(retort_distill_result) == 48);

RETORT_AT(retort_distill_v1, struct_size, 0);
RETORT_AT(retort_distill_v1, reserved, 4);
RETORT_AT(retort_distill_v1, requirements, 8);
RETORT_AT(retort_distill_v1, initialise, 16);
RETORT_AT(retort_distill_v1, loss, 24);
RETORT_LAYOUT_ASSERT(sizeof(retort_distill_v1) == 32);

RETORT_AT(retort_environment_v1, struct_size, 0);
RETORT_AT(retort_environment_v1, reserved, 4);
RETORT_AT(retort_environment_v1, tools, 8);
RETORT_AT(retort_environment_v1, generate, 16);
RETORT_AT(retort_environment_v1, start, 24);
RETORT_AT(retort_environment_v1, execute, 32);
RETORT_AT(retort_environment_v1, state, 40);
RETORT_AT(retort_environment_v1, end, 48);
RETORT_LAYOUT_ASSERT(sizeof(retort_environment_v1) == 56);

RETORT_AT(retort_model_options, struct_size, 0);
RETORT_AT(retort_model_options, reserved, 4);
RETORT_AT(retort_model_options, folder, 8);
RETORT_AT(retort_model_options, threads, 24);
RETORT_AT(retort_model_options, sequences, 32);
RETORT_LAYOUT_ASSERT(sizeof(retort_model_options) == 40);

RETORT_AT(retort_host_models_v1, struct_size, 0);
RETORT_AT(retort_host_models_v1, reserved, 4);
RETORT_AT(retort_host_models_v1, open, 8);
RETORT_AT(retort_host_models_v1, close, 16);
RETORT_AT(retort_host_models_v1, describe, 24);
RETORT_AT(retort_host_models_v1, complete, 32);
RETORT_AT(retort_host_models_v1, score, 40);
RETORT_LAYOUT_ASSERT(sizeof(retort_host_models_v1) == 48);

RETORT_AT(retort_host_secrets_v1, struct_size, 0);
RETORT_AT(retort_host_secrets_v1, reserved, 4);
RETORT_AT(retort_host_secrets_v1, get, 8);
RETORT_LAYOUT_ASSERT(sizeof(retort_host_secrets_v1) == 16);

RETORT_AT(retort_host_stages_v1, struct_size, 0);
RETORT_AT(retort_host_stages_v1, reserved, 4);
RETORT_AT(retort_host_stages_v1, create, 8);
RETORT_AT(retort_host_stages_v1, destroy, 16);
RETORT_AT(retort_host_stages_v1, run, 24);
RETORT_LAYOUT_ASSERT(sizeof(retort_host_stages_v1) == 32);

RETORT_AT(retort_host_storage_v1, struct_size, 0);
RETORT_AT(retort_host_storage_v1, reserved, 4);
RETORT_AT(retort_host_storage_v1, folder, 8);
RETORT_LAYOUT_ASSERT(sizeof(retort_host_storage_v1) == 16);

RETORT_AT(retort_preference_requirements, struct_size, 0);
RETORT_AT(retort_preference_requirements, flags, 4);
RETORT_AT(retort_preference_requirements, signals, 8);
RETORT_LAYOUT_ASSERT(sizeof(retort_preference_requirements) == 16);

RETORT_AT(retort_preference_batch, struct_size, 0);
RETORT_AT(retort_preference_batch, reserved, 4);
RETORT_AT(retort_preference_batch, chosen_log_probs, 8);
RETORT_AT(retort_preference_batch, rejected_log_probs, 16);
RETORT_AT(retort_preference_batch, chosen_lengths, 24);
RETORT_AT(retort_preference_batch, rejected_lengths, 32);
RETORT_AT(retort_preference_batch, reference_chosen_log_probs, 40);
RETORT_AT(retort_preference_batch, reference_rejected_log_probs, 48);
RETORT_AT(retort_preference_batch, chosen_weights, 56);
RETORT_AT(retort_preference_batch, rejected_weights, 64);
RETORT_AT(retort_preference_batch, step_weight, 72);
RETORT_AT(retort_preference_batch, step, 80);
RETORT_AT(retort_preference_batch, total_steps, 88);
RETORT_LAYOUT_ASSERT(sizeof(retort_preference_batch) == 96);

RETORT_AT(retort_preference_result, struct_size, 0);
RETORT_AT(retort_preference_result, reserved, 4);
RETORT_AT(retort_preference_result, loss, 8);
RETORT_AT(retort_preference_result, chosen_log_probs_gradient, 16);
RETORT_AT(retort_preference_result, rejected_log_probs_gradient, 24);
RETORT_AT(retort_preference_result, metrics, 32);
RETORT_LAYOUT_ASSERT(sizeof(retort_preference_result) == 40);

RETORT_AT(retort_preference_v1, struct_size, 0);
RETORT_AT(retort_preference_v1, reserved, 4);
RETORT_AT(retort_preference_v1, requirements, 8);
RETORT_AT(retort_preference_v1, loss, 16);
RETORT_LAYOUT_ASSERT(sizeof(retort_preference_v1) == 24);

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
RETORT_LAYOUT_ASSERT(sizeof(retort_prune_structure) == 72);

RETORT_AT(retort_prune_requirements, struct_size, 0);
RETORT_AT(retort_prune_requirements, flags, 4);
RETORT_AT(retort_prune_requirements, signals, 8);
RETORT_AT(retort_prune_requirements, samples, 16);
RETORT_LAYOUT_ASSERT(sizeof(retort_prune_requirements) == 24);

RETORT_AT(retort_prune_signals, struct_size, 0);
RETORT_AT(retort_prune_signals, reserved, 4);
RETORT_AT(retort_prune_signals, hidden_norms, 8);
RETORT_AT(retort_prune_signals, feed_forward_norms, 16);
RETORT_AT(retort_prune_signals, head_norms, 24);
RETORT_AT(retort_prune_signals, block_influence, 32);
RETORT_AT(retort_prune_signals, block_similarity, 40);
RETORT_AT(retort_prune_signals, token_counts, 48);
RETORT_AT(retort_prune_signals, required_tokens, 56);
RETORT_LAYOUT_ASSERT(sizeof(retort_prune_signals) == 64);

RETORT_AT(retort_prune_keep, struct_size, 0);
RETORT_AT(retort_prune_keep, axis, 4);
RETORT_AT(retort_prune_keep, layer, 8);
RETORT_AT(retort_prune_keep, indices, 16);
RETORT_AT(retort_prune_keep, count, 24);
RETORT_LAYOUT_ASSERT(sizeof(retort_prune_keep) == 32);

RETORT_AT(retort_prune_model, struct_size, 0);
RETORT_AT(retort_prune_model, reserved, 4);
RETORT_AT(retort_prune_model, context, 8);
RETORT_AT(retort_prune_model, weight, 16);
RETORT_AT(retort_prune_model, gradient, 24);
RETORT_AT(retort_prune_model, squared_gradient, 32);
RETORT_AT(retort_prune_model, evaluate, 40);
RETORT_AT(retort_prune_model, feed_forward_hessian, 48);
RETORT_LAYOUT_ASSERT(sizeof(retort_prune_model) == 56);

RETORT_AT(retort_prune_plan_sink, struct_size, 0);
RETORT_AT(retort_prune_plan_sink, reserved, 4);
RETORT_AT(retort_prune_plan_sink, context, 8);
RETORT_AT(retort_prune_plan_sink, keep, 16);
RETORT_AT(retort_prune_plan_sink, weight, 24);
RETORT_LAYOUT_ASSERT(sizeof(retort_prune_plan_sink) == 32);

RETORT_AT(retort_pruner_v1, struct_size, 0);
RETORT_AT(retort_pruner_v1, reserved, 4);
RETORT_AT(retort_pruner_v1, requirements, 8);
RETORT_AT(retort_pruner_v1, plan, 16);
RETORT_LAYOUT_ASSERT(sizeof(retort_pruner_v1) == 24);

RETORT_AT(retort_quantize_requirements, struct_size, 0);
RETORT_AT(retort_quantize_requirements, reserved, 4);
RETORT_AT(retort_quantize_requirements, signals, 8);
RETORT_AT(retort_quantize_requirements, samples, 16);
RETORT_LAYOUT_ASSERT(sizeof(retort_quantize_requirements) == 24);

RETORT_AT(retort_quantize_scheme, struct_size, 0);
RETORT_AT(retort_quantize_scheme, bits, 4);
RETORT_AT(retort_quantize_scheme, symmetric, 8);
RETORT_AT(retort_quantize_scheme, reserved, 12);
RETORT_AT(retort_quantize_scheme, group_size, 16);
RETORT_LAYOUT_ASSERT(sizeof(retort_quantize_scheme) == 24);

RETORT_AT(retort_quantize_output, struct_size, 0);
RETORT_AT(retort_quantize_output, reserved, 4);
RETORT_AT(retort_quantize_output, codes, 8);
RETORT_AT(retort_quantize_output, scales, 16);
RETORT_AT(retort_quantize_output, zero_points, 24);
RETORT_LAYOUT_ASSERT(sizeof(retort_quantize_output) == 32);

RETORT_AT(retort_quantizer_v1, struct_size, 0);
RETORT_AT(retort_quantizer_v1, reserved, 4);
RETORT_AT(retort_quantizer_v1, requirements, 8);
RETORT_AT(retort_quantizer_v1, scheme, 16);
RETORT_AT(retort_quantizer_v1, smooth, 24);
RETORT_AT(retort_quantizer_v1, quantize, 32);
RETORT_LAYOUT_ASSERT(sizeof(retort_quantizer_v1) == 40);

RETORT_AT(retort_reward_batch, struct_size, 0);
RETORT_AT(retort_reward_batch, reserved, 4);
RETORT_AT(retort_reward_batch, tools, 8);
RETORT_AT(retort_reward_batch, items, 24);
RETORT_LAYOUT_ASSERT(sizeof(retort_reward_batch) == 40);

RETORT_AT(retort_reward_v1, struct_size, 0);
RETORT_AT(retort_reward_v1, reserved, 4);
RETORT_AT(retort_reward_v1, scores, 8);
RETORT_AT(retort_reward_v1, score, 16);
RETORT_LAYOUT_ASSERT(sizeof(retort_reward_v1) == 24);

RETORT_AT(retort_rl_requirements, struct_size, 0);
RETORT_AT(retort_rl_requirements, flags, 4);
RETORT_AT(retort_rl_requirements, signals, 8);
RETORT_AT(retort_rl_requirements, group_size, 16);
RETORT_AT(retort_rl_requirements, updates, 24);
RETORT_AT(retort_rl_requirements, mini_batches, 32);
RETORT_AT(retort_rl_requirements, refill_rounds, 40);
RETORT_LAYOUT_ASSERT(sizeof(retort_rl_requirements) == 48);

RETORT_AT(retort_rl_batch, struct_size, 0);
RETORT_AT(retort_rl_batch, reserved, 4);
RETORT_AT(retort_rl_batch, rows, 8);
RETORT_AT(retort_rl_batch, groups, 16);
RETORT_AT(retort_rl_batch, rewards, 24);
RETORT_AT(retort_rl_batch, reward_parts, 32);
RETORT_AT(retort_rl_batch, token_rewards, 40);
RETORT_AT(retort_rl_batch, finished, 48);
RETORT_AT(retort_rl_batch, mask, 56);
RETORT_AT(retort_rl_batch, log_probs, 64);
RETORT_AT(retort_rl_batch, old_log_probs, 72);
RETORT_AT(retort_rl_batch, sampler_log_probs, 80);
RETORT_AT(retort_rl_batch, reference_log_probs, 88);
RETORT_AT(retort_rl_batch, values, 96);
RETORT_AT(retort_rl_batch, old_values, 104);
RETORT_AT(retort_rl_batch, entropies, 112);
RETORT_AT(retort_rl_batch, advantages, 120);
RETORT_AT(retort_rl_batch, returns, 128);
RETORT_AT(retort_rl_batch, update_rows, 136);
RETORT_AT(retort_rl_batch, update_tokens, 144);
RETORT_AT(retort_rl_batch, update_groups, 152);
RETORT_AT(retort_rl_batch, group_size, 160);
RETORT_AT(retort_rl_batch, maximum_tokens, 168);
RETORT_AT(retort_rl_batch, update, 176);
RETORT_AT(retort_rl_batch, temperature, 184);
RETORT_LAYOUT_ASSERT(sizeof(retort_rl_batch) == 192);

RETORT_AT(retort_rl_advantages, struct_size, 0);
RETORT_AT(retort_rl_advantages, reserved, 4);
RETORT_AT(retort_rl_advantages, advantages, 8);
RETORT_AT(retort_rl_advantages, returns, 16);
RETORT_AT(retort_rl_advantages, keep, 24);
RETORT_AT(retort_rl_advantages, metrics, 32);
RETORT_LAYOUT_ASSERT(sizeof(retort_rl_advantages) == 40);

RETORT_AT(retort_rl_result, struct_size, 0);
RETORT_AT(retort_rl_result, reserved, 4);
RETORT_AT(retort_rl_result, loss, 8);
RETORT_AT(retort_rl_result, log_probs_gradient, 16);
RETORT_AT(retort_rl_result, values_gradient, 24);
RETORT_AT(retort_rl_result, entropies_gradient, 32);
RETORT_AT(retort_rl_result, metrics, 40);
RETORT_LAYOUT_ASSERT(sizeof(retort_rl_result) == 48);

RETORT_AT(retort_rl_v1, struct_size, 0);
RETORT_AT(retort_rl_v1, reserved, 4);
RETORT_AT(retort_rl_v1, requirements, 8);
RETORT_AT(retort_rl_v1, advantages, 16);
RETORT_AT(retort_rl_v1, loss, 24);
RETORT_LAYOUT_ASSERT(sizeof(retort_rl_v1) == 32);

RETORT_AT(retort_sparsify_requirements, struct_size, 0);
RETORT_AT(retort_sparsify_requirements, reserved, 4);
RETORT_AT(retort_sparsify_requirements, signals, 8);
RETORT_AT(retort_sparsify_requirements, samples, 16);
RETORT_LAYOUT_ASSERT(sizeof(retort_sparsify_requirements) == 24);

RETORT_AT(retort_sparsify_output, struct_size, 0);
RETORT_AT(retort_sparsify_output, reserved, 4);
RETORT_AT(retort_sparsify_output, mask, 8);
RETORT_AT(retort_sparsify_output, weight, 16);
RETORT_LAYOUT_ASSERT(sizeof(retort_sparsify_output) == 24);

RETORT_AT(retort_sparsifier_v1, struct_size, 0);
RETORT_AT(retort_sparsifier_v1, reserved, 4);
RETORT_AT(retort_sparsifier_v1, requirements, 8);
RETORT_AT(retort_sparsifier_v1, sparsify, 16);
RETORT_LAYOUT_ASSERT(sizeof(retort_sparsifier_v1) == 24);

RETORT_AT(retort_teacher_batch, struct_size, 0);
RETORT_AT(retort_teacher_batch, reserved, 4);
RETORT_AT(retort_teacher_batch, tools, 8);
RETORT_AT(retort_teacher_batch, requests, 24);
RETORT_LAYOUT_ASSERT(sizeof(retort_teacher_batch) == 40);

RETORT_AT(retort_teacher_v1, struct_size, 0);
RETORT_AT(retort_teacher_v1, reserved, 4);
RETORT_AT(retort_teacher_v1, complete, 8);
RETORT_AT(retort_teacher_v1, score, 16);
RETORT_LAYOUT_ASSERT(sizeof(retort_teacher_v1) == 24);

/* A table is as long as its first revision said; a longer one has functions that a later minor version added. */
RETORT_LAYOUT_ASSERT(RETORT_DISTILL_V1_SIZE <= sizeof(retort_distill_v1));
RETORT_LAYOUT_ASSERT(RETORT_ENVIRONMENT_V1_SIZE <= sizeof(retort_environment_v1));
RETORT_LAYOUT_ASSERT(RETORT_HOST_MODELS_V1_SIZE <= sizeof(retort_host_models_v1));
RETORT_LAYOUT_ASSERT(RETORT_HOST_SECRETS_V1_SIZE <= sizeof(retort_host_secrets_v1));
RETORT_LAYOUT_ASSERT(RETORT_HOST_STAGES_V1_SIZE <= sizeof(retort_host_stages_v1));
RETORT_LAYOUT_ASSERT(RETORT_HOST_STORAGE_V1_SIZE <= sizeof(retort_host_storage_v1));
RETORT_LAYOUT_ASSERT(RETORT_PREFERENCE_V1_SIZE <= sizeof(retort_preference_v1));
RETORT_LAYOUT_ASSERT(RETORT_PRUNER_V1_SIZE <= sizeof(retort_pruner_v1));
RETORT_LAYOUT_ASSERT(RETORT_QUANTIZER_V1_SIZE <= sizeof(retort_quantizer_v1));
RETORT_LAYOUT_ASSERT(RETORT_REWARD_V1_SIZE <= sizeof(retort_reward_v1));
RETORT_LAYOUT_ASSERT(RETORT_RL_V1_SIZE <= sizeof(retort_rl_v1));
RETORT_LAYOUT_ASSERT(RETORT_SPARSIFIER_V1_SIZE <= sizeof(retort_sparsifier_v1));
RETORT_LAYOUT_ASSERT(RETORT_STAGE_V1_SIZE <= sizeof(retort_stage_v1));
RETORT_LAYOUT_ASSERT(RETORT_TEACHER_V1_SIZE <= sizeof(retort_teacher_v1));

#undef RETORT_AT
#undef RETORT_LAYOUT_ASSERT

#endif
