/* Every ABI header compiles as strict C11, twice over, and alone; layout.h asserts every offset. */
#include <retort/abi/base.h>
#include <retort/abi/distill.h>
#include <retort/abi/environment.h>
#include <retort/abi/host_models.h>
#include <retort/abi/host_secrets.h>
#include <retort/abi/host_stages.h>
#include <retort/abi/host_storage.h>
#include <retort/abi/layout.h>
#include <retort/abi/plugin.h>
#include <retort/abi/preference.h>
#include <retort/abi/pruner.h>
#include <retort/abi/quantizer.h>
#include <retort/abi/reward.h>
#include <retort/abi/rl.h>
#include <retort/abi/signals.h>
#include <retort/abi/site.h>
#include <retort/abi/sparsifier.h>
#include <retort/abi/stage.h>
#include <retort/abi/teacher.h>

unsigned long retort_abi_c_sizes(void);
unsigned long retort_abi_c_sizes(void) {
  return sizeof(retort_plugin_entry) + sizeof(retort_host);
}
