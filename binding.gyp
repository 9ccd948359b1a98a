# The entry of node-gyp and prebuildify to the one real build, CMakeLists.txt (CPU only).
{
    'targets': [
        {
            'target_name': 'nativegrad',
            'type': 'none',
            'actions': [
                {
                    'action_name': 'cmake',
                    'inputs': ['package.json'],
                    'outputs': ['<(PRODUCT_DIR)/nativegrad.node'],
                    'action': ['node', 'scripts/build/gyp_action.mjs', '<(PRODUCT_DIR)'],
                },
            ],
        },
    ],
}
