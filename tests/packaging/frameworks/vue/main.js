import { createApp } from 'vue';

import Counter from '../../../../client-wasm/examples/vue/Counter.vue';

createApp(Counter).mount('#root');
