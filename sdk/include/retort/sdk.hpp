// The whole C++17 layer. A plugin that implements one interface may include that interface's header and plugin.hpp.
#pragma once

#include <retort/distill.hpp>
#include <retort/environment.hpp>
#include <retort/plugin.hpp>
#include <retort/pruner.hpp>
#include <retort/quantizer.hpp>
#include <retort/reward.hpp>
#include <retort/rl.hpp>
#include <retort/stage.hpp>
#include <retort/teacher.hpp>
