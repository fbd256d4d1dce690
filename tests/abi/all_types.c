/* A use of every struct of the ABI, so that the debugging information of this object describes them all:
 * compare_headers.sh compares that of the kept headers with that of today's. */
#include <retort/abi/layout.h>

#define USE(type)                      \
  void use_##type(const type* value);  \
  void use_##type(const type* value) { \
    (void)value;                       \
  }

USE(retort_host)
USE(retort_plugin_entry)
USE(retort_component)
USE(retort_slot)
USE(retort_bound_component)
USE(retort_create_arguments)
USE(retort_parameter)
USE(retort_tensor)
USE(retort_text_sink)
USE(retort_item_sink)
USE(retort_metric_sink)
USE(retort_stage_input)
USE(retort_stage_description)
USE(retort_stage_context)
USE(retort_stage_v1)
USE(retort_distill_v1)
USE(retort_rl_v1)
USE(retort_preference_v1)
USE(retort_pruner_v1)
USE(retort_sparsifier_v1)
USE(retort_quantizer_v1)
USE(retort_teacher_v1)
USE(retort_reward_v1)
USE(retort_environment_v1)
USE(retort_host_models_v1)
USE(retort_host_secrets_v1)
USE(retort_host_stages_v1)
USE(retort_host_storage_v1)
