// The whole C++17 layer but retort/torch.hpp. A plugin that implements one interface may include its header and
// plugin.hpp.
#pragma once

#include <retort/distill.hpp>
#include <retort/environment.hpp>
#include <retort/host_models.hpp>
#include <retort/host_secrets.hpp>
#include <retort/host_storage.hpp>
#include <retort/plugin.hpp>
#include <retort/preference.hpp>
#include <retort/pruner.hpp>
#include <retort/quantizer.hpp>
#include <retort/reward.hpp>
#include <retort/rl.hpp>
#include <retort/sparsifier.hpp>
#include <retort/stage.hpp>
#include <retort/teacher.hpp>
