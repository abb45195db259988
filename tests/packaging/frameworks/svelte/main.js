import { mount } from 'svelte';

import Counter from '../../../../client-wasm/examples/svelte/Counter.svelte';

mount(Counter, { target: document.getElementById('root') });
